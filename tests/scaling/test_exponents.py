from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scipy import stats

from gradcascade.scaling.exponents import EXPONENTS, FIT_SCHEMA, closure_error, fit_exponents

Build = Callable[..., pl.DataFrame]
MINIMAL = ("family", "field", "variant", "step", "scale", "n", "size", "duration")


def slow_twin(rows: pl.DataFrame) -> dict[str, Any]:
    """The four regressions of one step, replicates averaged, the obvious way."""
    logs: dict[str, list[tuple[float, float, float]]] = {}
    for row in rows.iter_rows(named=True):
        if row["size"] > 0 and not row["ceiling"]:
            point = (math.log(row["n"]), math.log(row["size"]), math.log(row["duration"]))
            logs.setdefault(row["scale"], []).append(point)
    n, s, d = np.array([np.mean(points, axis=0) for points in logs.values()]).T
    ordinates = {"D": s, "z": d, "beta": s - d, "delta": s - d - n}
    return {name: (stats.linregress(n, y), np.polyfit(n, y, 1)[0], len(n)) for name, y in ordinates.items()}


def one(fits: pl.DataFrame, exponent: str, step: int) -> dict[str, Any]:
    return fits.filter((pl.col("exponent") == exponent) & (pl.col("step") == step)).row(0, named=True)


def spoil(table: pl.DataFrame, scale: str, step: int, **values: Any) -> pl.DataFrame:
    here = (pl.col("scale") == scale) & (pl.col("step") == step)
    return table.with_columns(
        pl.when(here).then(pl.lit(value)).otherwise(pl.col(name)).alias(name) for name, value in values.items()
    )


@pytest.mark.parametrize("replicates", [1, 3])
def test_matches_a_regression_per_step(cascades: Build, replicates: int) -> None:
    table = cascades(variants=("real", "N0"), replicates=replicates)
    table = spoil(table, "d48", 4, ceiling=True, duration=500)
    fits = fit_exponents(table)
    assert fits.schema == FIT_SCHEMA
    assert fits.height == 2 * 10 * 4
    for (variant, step), rows in table.group_by("variant", "step"):
        for exponent, (line, slope, k) in slow_twin(rows).items():
            found = one(fits.filter(pl.col("variant") == variant), exponent, step)
            half = stats.t.ppf(0.975, k - 2) * line.stderr
            expected = [line.slope, slope, line.stderr, slope - half, slope + half, line.rvalue**2]
            ours = [found[name] for name in ("value", "value", "se", "low", "high", "r2")]
            np.testing.assert_allclose(ours, expected, rtol=1e-8, atol=1e-11)
            assert found["n_scales"] == k and found["reason"] is None


def test_order_of_rows_and_columns(cascades: Build) -> None:
    fits = fit_exponents(cascades(steps=[20, 3], variants=("real", "N0")))
    assert fits.columns == list(FIT_SCHEMA)
    assert fits["exponent"].to_list()[:4] == list(EXPONENTS)
    assert fits["step"].to_list() == [3] * 4 + [20] * 4 + [3] * 4 + [20] * 4


def test_minimal_columns_and_narrow_types(cascades: Build) -> None:
    table = cascades()
    narrow = table.select(MINIMAL).with_columns(
        pl.col("step").cast(pl.Int32), pl.col("family").cast(pl.Categorical), pl.col("duration").cast(pl.Float32)
    )
    assert_frame_equal(fit_exponents(narrow), fit_exponents(table), check_exact=True)


@settings(max_examples=60, deadline=None)
@given(
    D=st.floats(0.5, 1.5),
    z=st.floats(-0.4, 0.4),
    n=st.lists(st.integers(10, 26), min_size=3, max_size=6, unique=True),
    seed=st.integers(0, 1000),
)
def test_planted_exponents_come_back_and_close(D: float, z: float, n: list[int], seed: int) -> None:
    sizes = np.array([2**power for power in n], dtype=np.int64)
    order = np.random.default_rng(seed).permutation(len(n))
    table = pl.DataFrame(
        {
            "family": "planted",
            "field": "update",
            "variant": "real",
            "step": 7,
            "scale": [f"s{power}" for power in n],
            "n": sizes,
            "size": 0.1 * sizes**D,
            "duration": 30 * sizes**z,
        }
    )[order]
    fits = fit_exponents(table)
    values = dict(fits.select("exponent", "value").iter_rows())
    for name, planted in {"D": D, "z": z, "beta": D - z, "delta": D - z - 1}.items():
        assert values[name] == pytest.approx(planted, abs=1e-11)
    assert closure_error(fits)["closure_error"].item() < 1e-12
    well_fitted = fits.filter(pl.col("value").abs() > 1e-3)
    assert (well_fitted["r2"] > 1 - 1e-9).all() and (well_fitted["se"] < 1e-9).all()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_laws_on_random_cascades(data: st.DataObject) -> None:
    scales = data.draw(st.integers(3, 6))
    n = np.array(data.draw(st.lists(st.integers(10**3, 10**9), min_size=scales, max_size=scales, unique=True)))
    if np.ptp(np.log(n)) < 0.1:
        n = n * 3 ** np.arange(scales)
    numbers = st.lists(st.integers(1, 499), min_size=scales, max_size=scales)
    table = pl.DataFrame(
        {
            "family": "f",
            "field": "gradient",
            "variant": "real",
            "step": 1,
            "scale": [str(i) for i in range(scales)],
            "n": n,
            "size": data.draw(numbers),
            "duration": data.draw(numbers),
        }
    )
    fits = fit_exponents(table)
    value = dict(fits.select("exponent", "value").iter_rows())
    assert closure_error(fits)["closure_error"].item() < 1e-12
    assert value["delta"] == pytest.approx(value["beta"] - 1, abs=1e-12)
    assert_frame_equal(fit_exponents(table.sample(fraction=1, shuffle=True, seed=1)), fits, check_exact=True)
    bigger = fit_exponents(table.with_columns(n=pl.col("n") * 1000))
    numeric = ["value", "se", "low", "high"]
    np.testing.assert_allclose(bigger.select(numeric), fits.select(numeric), rtol=1e-8, atol=1e-8)


def test_closure_of_noisy_cascades(cascades: Build) -> None:
    closure = closure_error(fit_exponents(cascades(steps=range(100), variants=("real", "N0"))))
    assert closure.columns == ["family", "field", "variant", "step", "closure_error"]
    assert closure["closure_error"].null_count() == 0
    assert closure["closure_error"].to_numpy().max() < 1e-12


def test_excluded_scales_are_named(cascades: Build) -> None:
    table = spoil(cascades(), "d24", 3, ceiling=True, duration=500)
    table = spoil(table, "d48", 3, size=0, duration=0, zero_share=1.0)
    table = spoil(table, "d48", 5, size=0, duration=0)
    fits = fit_exponents(table)
    found = one(fits, "z", 3)
    assert [found[name] for name in ("value", "se", "low", "high", "r2")] == [None] * 5
    assert found["n_scales"] == 2
    assert found["reason"] == "2 of 4 scales left: d24 reached the ceiling, d48 has an all-zero field"
    assert one(fits, "z", 5)["n_scales"] == 3 and one(fits, "z", 5)["value"] is not None
    assert closure_error(fits).filter(pl.col("step") == 3)["closure_error"].to_list() == [None]


def test_all_scales_excluded(cascades: Build) -> None:
    table = cascades(steps=[1, 2]).with_columns(size=pl.lit(0), duration=pl.lit(0))
    fits = fit_exponents(table)
    assert fits["value"].null_count() == fits.height == 8
    assert fits["reason"][0].startswith("0 of 4 scales left: d24 has size 0 (no node was ever active), d48")


def test_scales_missing_at_some_steps(cascades: Build) -> None:
    table = cascades().filter((pl.col("step") != 2) | pl.col("scale").is_in(["d48", "d192"]))
    found = one(fit_exponents(table), "D", 2)
    assert found["reason"] == "2 of 4 scales left: d24 was not measured, d96 was not measured"


@pytest.mark.parametrize(
    ("kept", "words"), [(["d24"], "only 1 scale in all"), (["d24", "d96"], "only 2 scales in all")]
)
def test_too_few_scales(cascades: Build, kept: list[str], words: str) -> None:
    fits = fit_exponents(cascades().filter(pl.col("scale").is_in(kept)))
    assert fits["reason"].to_list() == [f"{words}, a fit needs 3"] * 40


def test_one_step(cascades: Build) -> None:
    assert fit_exponents(cascades(steps=[0]))["value"].null_count() == 0


def test_all_durations_equal(cascades: Build) -> None:
    fits = fit_exponents(cascades(steps=[0], replicates=2).with_columns(duration=pl.lit(9)))
    found = one(fits, "z", 0)
    assert [found[name] for name in ("value", "se", "low", "high", "r2")] == [0, 0, 0, 0, None]
    assert found["reason"] == "R2 is undefined: all durations are equal"
    assert one(fits, "beta", 0)["value"] == pytest.approx(one(fits, "D", 0)["value"], abs=1e-13)


def test_all_v_rel_equal(cascades: Build) -> None:
    table = cascades(steps=[0]).with_columns(size=pl.col("n") // 8, duration=pl.lit(9))
    assert one(fit_exponents(table), "delta", 0)["reason"] == "R2 is undefined: all values of v_rel are equal"


def test_scales_of_one_n(cascades: Build) -> None:
    found = one(fit_exponents(cascades(steps=[0]).with_columns(n=pl.lit(1000))), "D", 0)
    assert found["value"] is None and "all have the same n" in found["reason"]


def test_a_replicate_at_the_ceiling_leaves_its_scale(cascades: Build) -> None:
    table = cascades(steps=[0], replicates=2).with_columns(
        ceiling=(pl.col("scale") == "d24") & (pl.col("replicate") == 1)
    )
    fits = fit_exponents(table)
    assert one(fits, "z", 0)["n_scales"] == 4
    assert_frame_equal(fits, fit_exponents(table.filter(~pl.col("ceiling"))))


def test_replicates_count_once_per_scale(cascades: Build) -> None:
    once = cascades(steps=[0])
    thrice = once.filter(pl.col("scale") == "d24").with_columns(replicate=pl.lit(1, dtype=pl.Int64))
    numeric = ["value", "se", "low", "high", "r2", "n_scales"]
    doubled, single = (fit_exponents(table).select(numeric) for table in (pl.concat([once, thrice]), once))
    np.testing.assert_allclose(doubled, single, atol=1e-12)


def test_empty_table(cascades: Build) -> None:
    fits = fit_exponents(cascades()[:0])
    assert fits.schema == FIT_SCHEMA and fits.height == 0
    assert closure_error(fits).height == 0
