from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scipy import stats

from gradcascade.errors import InputError
from gradcascade.performance.metrics import METRIC_EXPONENT_SCHEMA, METRIC_SCHEMA, metric_exponent

SIZES = {"d24": 36_864, "d48": 147_456, "d96": 589_824, "d192": 2_359_296}


def build(values: dict[str, list[float | None]] | None = None, metric: str = "perplexity") -> pl.DataFrame:
    rng = np.random.default_rng(2)
    values = values or {scale: list(rng.uniform(3, 90, 6)) for scale in SIZES}
    rows = [("nano", scale, step, metric, v) for scale, series in values.items() for step, v in enumerate(series)]
    return pl.DataFrame(rows, schema=METRIC_SCHEMA, orient="row")


def only(fits: pl.DataFrame) -> dict[str, Any]:
    assert fits.height == 1
    return fits.row(0, named=True)


def test_matches_a_regression_per_step() -> None:
    table = pl.concat([build(), build(metric="accuracy").with_columns(value=1 / pl.col("value"))])
    fits = metric_exponent(table.sample(fraction=1, shuffle=True, seed=1), SIZES)
    assert fits.schema == METRIC_EXPONENT_SCHEMA and fits.height == 12
    for row in fits.iter_rows(named=True):
        here = table.filter((pl.col("metric") == row["metric"]) & (pl.col("step") == row["step"]))
        twin: Any = stats.linregress([math.log(SIZES[s]) for s in here["scale"]], np.log(here["value"].to_numpy()))
        half = stats.t.ppf(0.975, 2) * twin.stderr
        expected = [twin.slope, twin.stderr, twin.slope - half, twin.slope + half, twin.rvalue**2, 4]
        np.testing.assert_allclose(
            [row[name] for name in ("value", "se", "low", "high", "r2", "n_scales")], expected, rtol=1e-9
        )
        assert row["reason"] is None


@settings(max_examples=30, deadline=None)
@given(slope=st.floats(-1, 1), factor=st.floats(1e3, 1e20))
def test_planted_slope(slope: float, factor: float) -> None:
    table = build({scale: [factor * n**slope] for scale, n in SIZES.items()})
    found = only(metric_exponent(table, SIZES))
    assert found["value"] == pytest.approx(slope, abs=1e-11)
    assert_frame_equal(metric_exponent(table.reverse(), SIZES), metric_exponent(table, SIZES), check_exact=True)


def test_the_floor_stands_under_the_logarithm() -> None:
    values: dict[str, list[float | None]] = {"d24": [0.0], "d48": [-1.0], "d96": [1e-3], "d192": [1e-3]}
    found = only(metric_exponent(build(values), SIZES, floor=1e-4))
    expected = np.polyfit(np.log(list(SIZES.values())), np.log([1e-4, 1e-4, 1e-3, 1e-3]), 1)[0]
    assert found["value"] == pytest.approx(expected)


def test_what_is_not_a_number_is_left_out_and_named() -> None:
    values: dict[str, list[float | None]] = {"d24": [math.nan], "d48": [None], "d96": [1.0], "d192": [math.inf]}
    found = only(metric_exponent(build(values), SIZES))
    assert found["value"] is None and found["n_scales"] == 1
    assert found["reason"] == (
        "1 of 4 scales left: d24 has no finite value, d48 has no finite value, d192 has no finite value"
    )
    three = only(metric_exponent(build({**values, "d24": [2.0], "d48": [3.0]}), SIZES))
    assert three["n_scales"] == 3 and three["value"] is not None


def test_scales_without_a_size_are_left_out_and_named() -> None:
    fits = metric_exponent(build(), {"d24": 36_864, "d48": 147_456, "other": 3})
    assert fits["reason"][0] == "2 of 4 scales left: d192 has no known size, d96 has no known size"
    assert metric_exponent(build(), {})["n_scales"].to_list() == [0] * 6


def test_missing_and_few_scales() -> None:
    table = build().filter((pl.col("step") != 2) | (pl.col("scale") == "d96"))
    reasons = metric_exponent(table, SIZES)["reason"].to_list()
    assert reasons[2] == "1 of 4 scales left: d24 was not measured, d48 was not measured, d192 was not measured"
    assert reasons[:2] == [None, None]
    two = metric_exponent(build().filter(pl.col("scale").is_in(["d24", "d48"])), SIZES)
    assert two["reason"].to_list() == ["only 2 scales in all, a fit needs 3"] * 6


def test_equal_values_and_equal_sizes() -> None:
    flat = only(metric_exponent(build({scale: [0.25] for scale in SIZES}), SIZES))
    assert (flat["value"], flat["se"], flat["r2"]) == (0, 0, None)
    assert flat["reason"] == "R2 is undefined: all values are equal"
    same = metric_exponent(build(), dict.fromkeys(SIZES, 7))
    assert same["reason"][0] == "the 4 scales left all have the same size; a slope needs different ones"


def test_no_metrics() -> None:
    fits = metric_exponent(build()[:0], SIZES)
    assert fits.height == 0 and fits.schema == METRIC_EXPONENT_SCHEMA


def test_bad_input() -> None:
    table = build()
    with pytest.raises(InputError, match="lacks the columns metric, value"):
        metric_exponent(table.drop("metric", "value"), SIZES)
    with pytest.raises(InputError, match="first family nano, metric perplexity, step 0, scale d24"):
        metric_exponent(pl.concat([table, table[:1]]), SIZES)
    with pytest.raises(InputError, match="the size of scale d24 is 0"):
        metric_exponent(table, {"d24": 0})
    with pytest.raises(InputError, match="a finite number above 0, got 0"):
        metric_exponent(table, SIZES, floor=0)
    with pytest.raises(InputError, match="holds String, not numbers"):
        metric_exponent(table.with_columns(value=pl.lit("low")), SIZES)
