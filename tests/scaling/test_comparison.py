from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from scipy import stats

from gradcascade.errors import InputError
from gradcascade.scaling.comparison import (
    COMPARISON_SCHEMA,
    PUBLISHED_SCHEMA,
    compare_published,
    compare_studies,
    compare_verdicts,
)
from gradcascade.scaling.verdict import verdicts
from gradcascade.scaling.window_means import window_differences, window_intervals

Build = Callable[..., pl.DataFrame]
BOTH = ("real", "N0")


def test_differences_have_an_interval_between_welchs_and_that_of_the_smaller_degrees(cascades: Build) -> None:
    sizes = {"a": 1000, "b": 5000, "c": 20_000, "d": 90_000, "e": 300_000}
    a, b = cascades(variants=BOTH, steps=range(20)), cascades(variants=BOTH, steps=range(30), sizes=sizes, seed=3)
    found = compare_studies(a, b, (5, 19), (9, 29))
    assert found.schema == COMPARISON_SCHEMA and found.height == 12
    for row in found.iter_rows(named=True):
        parts = []
        for table, window in ((a, (5, 19)), (b, (9, 29))):
            every = window_differences(table, window).rename({"difference": "variant"})
            every = every.filter(pl.col("variant") == "total").with_columns(variant=pl.lit("real - N0"))
            every = pl.concat([window_intervals(table, window), every])
            here = (pl.col("variant") == row["variant"]) & (pl.col("exponent") == row["exponent"])
            parts.append(every.filter(here).row(0, named=True))
        first, second = parts
        v = [part["scales_se"] ** 2 for part in parts]
        k = sum(v) ** 2 / (v[0] ** 2 / 2 + v[1] ** 2 / 3)
        half = stats.t.ppf(0.975, (k + 2) / 2) * np.sqrt(sum(v))
        gap = second["scales_value"] - first["scales_value"]
        np.testing.assert_allclose([row["difference"], row["low"], row["high"]], [gap, gap - half, gap + half])
        gap = second["mean"] - first["mean"]
        half = np.hypot(*(part["high"] - part["mean"] for part in parts))
        np.testing.assert_allclose([row["along_difference"], row["along_low"]], [gap, gap - half])
        assert (row["value_a"], row["high_b"]) == (first["scales_value"], second["scales_high"])


def test_single_families_are_compared_under_their_own_names(cascades: Build) -> None:
    a = cascades(variants=BOTH)
    b = cascades(seed=2).with_columns(family=pl.lit("other"))
    found = compare_studies(a, b)
    assert found["variant"].unique().to_list() == ["real"]
    assert found.select("family_a", "family_b").unique().rows() == [("nano", "other")]
    with pytest.raises(InputError, match=r"one has nano \(gradient\), the other other \(update\)"):
        compare_studies(a, b.with_columns(field=pl.lit("update")))


def test_a_side_without_an_interval_says_why(cascades: Build) -> None:
    few = cascades().filter(pl.col("scale").is_in(["d24", "d48"]))
    row = compare_studies(cascades(), few).row(0, named=True)
    assert row["reason"] == "in the second, only 2 scales are there at half of the window's steps or more"
    assert row["difference"] is None and row["value_a"] is not None


def test_verdicts_side_by_side(cascades: Build) -> None:
    a, b = cascades(variants=BOTH), cascades().with_columns(duration=pl.lit(9), size=pl.col("n") // 16)
    found = compare_verdicts(a, b).row(0, named=True)
    assert found["verdict_a"] == verdicts(a)["verdict"].item() == "undecided"
    assert found["verdict_b"] == "flat" and found["sentence_b"] == verdicts(b)["sentence"].item()


def test_the_published_values_beside_ones_own(cascades: Build) -> None:
    table = cascades(steps=range(4000, 74_000, 1000), variants=BOTH, field="update")
    table = table.with_columns(family=pl.lit("pythia"))
    found = compare_published(table)
    assert found.schema == PUBLISHED_SCHEMA and found.height == 5
    means = window_intervals(table, (4000, 73_000)).filter(pl.col("variant") == "real", pl.col("exponent") == "z")
    row = found.filter(pl.col("variant") == "real", pl.col("exponent") == "z").row(0, named=True)
    assert [row["value"], row["low"], row["high"]] == [
        means[name].item() for name in ("mean", "scales_low", "scales_high")
    ]
    assert (row["published"], row["published_sd"]) == (-0.036, 0.014)
    assert row["inside"] == (row["low"] <= -0.036 <= row["high"])
    real = compare_published(table.filter(pl.col("variant") == "real"))
    assert real.filter(pl.col("variant") == "real - N0")["reason"].to_list() == ["was not measured"]
    with pytest.raises(InputError, match="no family here is a published one"):
        compare_published(cascades())


def test_a_distance_is_ours_less_published_over_our_error(cascades: Build) -> None:
    table = cascades(range(5000, 12_000, 1000), variants=("real", "N0")).with_columns(family=pl.lit("pico-lm"))
    window = (5000, 11_000)
    row = compare_published(table, window).row(
        by_predicate=(pl.col("variant") == "real") & (pl.col("exponent") == "z"), named=True
    )
    ours = window_intervals(table, window, along=False).row(
        by_predicate=(pl.col("variant") == "real") & (pl.col("exponent") == "z"), named=True
    )
    assert row["apart"] == pytest.approx((ours["scales_value"] - row["published"]) / ours["scales_se"])
    assert row["less"] == pytest.approx(ours["scales_value"] - row["published"])
