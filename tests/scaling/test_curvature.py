from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from scipy import stats

from gradcascade.scaling.curvature import curvature, window_curvature

Build = Callable[..., pl.DataFrame]
FIVE = {"a": 1000, "b": 5000, "c": 20_000, "d": 90_000, "e": 300_000}


def slow_curvature(rows: pl.DataFrame, y: np.ndarray) -> list[float]:
    """Ordinary least squares with three columns."""
    x = np.log(rows["n"].to_numpy())
    design = np.vander(x - x.mean(), 3)
    value, squares, *_ = np.linalg.lstsq(design, y, rcond=None)
    degrees = len(x) - 3
    se = float(np.sqrt(squares[0] / degrees * np.linalg.inv(design.T @ design)[0, 0]))
    half = stats.t.ppf(0.975, degrees) * se
    return [value[0], se, value[0] - half, value[0] + half, float(2 * stats.t.sf(abs(value[0]) / se, degrees))]


@pytest.mark.parametrize("sizes", [FIVE, None], ids=["five", "four"])
def test_matches_least_squares_with_three_columns(cascades: Build, sizes: dict[str, int] | None) -> None:
    table = cascades(sizes=sizes, steps=range(8))
    found = curvature(table)
    for step in range(8):
        rows = table.filter(pl.col("step") == step).sort("n")
        n, size, duration = (rows[name].to_numpy().astype(float) for name in ("n", "size", "duration"))
        for name, y in {"D": size, "z": duration, "beta": size / duration, "delta": size / duration / n}.items():
            row = found.filter(pl.col("step") == step, pl.col("exponent") == name).row(0, named=True)
            ours = [row[column] for column in ("curvature", "se", "low", "high", "p")]
            np.testing.assert_allclose(ours, slow_curvature(rows, np.log(y)), rtol=1e-6, atol=1e-12)
            assert row["reason"] is None


def planted(bend: float) -> pl.DataFrame:
    n = np.array([10**3, 10**4, 10**5, 10**6], dtype=np.int64)
    x = np.log(n) - np.log(n).mean()
    return pl.DataFrame(
        {
            "family": "f",
            "field": "gradient",
            "variant": "real",
            "step": 1,
            "scale": [str(i) for i in range(4)],
            "n": n,
            "size": 0.1 * n * np.exp(bend * x**2),
            "duration": 20.0,
        }
    )


def test_a_planted_parabola_comes_back_exactly() -> None:
    found = curvature(planted(0.02))
    assert found["curvature"].to_list() == pytest.approx([0.02, 0.0, 0.02, 0.02], abs=1e-12)
    assert found["p"].to_list() == [None] * 4
    assert found["reason"].unique().to_list() == ["p is undefined: nothing is left to tell the noise from"]


def test_what_is_missing_is_said(cascades: Build) -> None:
    three = cascades(steps=[1, 2]).filter((pl.col("scale") != "d24") | (pl.col("step") == 2))
    found = curvature(three)
    assert found["reason"].to_list() == ["only 3 scales: a curvature needs 4"] * 4 + [None] * 4
    pair = cascades(steps=[1]).with_columns(n=pl.when(pl.col("scale").is_in(["d24", "d48"])).then(10).otherwise(90))
    assert curvature(pair)["reason"][0] == "the scales have fewer than three different n"
    few = cascades(steps=[1]).filter(pl.col("scale").is_in(["d24", "d48"]))
    assert curvature(few)["reason"][0] == "only 2 scales in all, a fit needs 3"
    assert curvature(few.head(0)).is_empty()


def test_over_the_window_a_bend_is_that_of_the_means_of_the_runs(cascades: Build) -> None:
    table = cascades(sizes={f"d{k}": 1000 * 4**k for k in range(6)}, steps=range(30))
    found = window_curvature(table, (10, 29))
    assert found["exponent"].to_list() == ["D", "z", "beta", "delta"]
    logs = table.filter(pl.col("step") >= 10).with_columns(pl.col("duration").log())
    means = logs.group_by("n").agg(pl.col("duration").mean()).sort("n")
    x = np.log(means["n"].to_numpy())
    known = sm.OLS(means["duration"].to_numpy(), np.vander(x - x.mean(), 3, increasing=True)).fit()
    row = found.filter(pl.col("exponent") == "z").row(0, named=True)
    ours = [row[name] for name in ("curvature", "se", "low", "high", "p")]
    np.testing.assert_allclose(
        ours, [known.params[2], known.bse[2], *known.conf_int()[2], known.pvalues[2]], rtol=1e-6
    )
    assert (row["n_scales"], row["n_runs"], row["n_steps"], row["reason"]) == (6, 6, 20, None)
    three = window_curvature(table.filter(pl.col("n") < 20_000))
    assert three["reason"][0] == "only 3 scales of different n: a curvature needs 4"


def test_runs_that_lie_off_the_line_at_every_step_are_no_bend() -> None:
    """Four scales that differ by 5 % for good: a test by steps finds a bend in a quarter of the families."""
    rng = np.random.default_rng(1)
    parts = []
    for family in range(200):
        once = planted(0.0).drop("step").with_columns(family=pl.lit(f"{family:03}"))
        off = pl.Series(np.exp(0.05 * rng.standard_normal(4)))
        steps = pl.DataFrame({"step": range(6)})
        noise = pl.Series(np.exp(0.02 * rng.standard_normal(24)))
        table = once.with_columns(duration=pl.col("duration") * off).join(steps, how="cross")
        parts.append(table.with_columns(duration=pl.col("duration") * noise))
    found = window_curvature(pl.concat(parts), (0, 5)).filter(pl.col("exponent") == "z")
    assert 0.01 <= found.select((pl.col("p") < 0.05).mean()).item() <= 0.1
