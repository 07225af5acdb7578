from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from tests.support.many_scales import SIZES, many_scales

from gradcascade.scaling.corrections import MIN_CORRECTED, corrections, fitted, omegas
from gradcascade.scaling.curvature import window_curvature
from gradcascade.scaling.run_errors import SizeMeans

X = np.log(SIZES)


def _many(amplitude: float, omega: float, sd: float, runs: int, count: int = 1000) -> SizeMeans:
    """Families as channels of one, with a planted correction."""
    rng = np.random.default_rng(7)
    law = 0.2 * X + amplitude * np.exp(-omega * (X - X[0]))
    y = law[:, None] + sd * rng.standard_normal((count, X.size, runs))
    variance = y.var(axis=2, ddof=1) if runs > 1 else np.full((count, X.size), np.nan)
    return SizeMeans(X, y.mean(axis=2), variance, np.full(X.size, runs))


def test_a_planted_correction_comes_back() -> None:
    row = fitted(_many(0.4, float(omegas(X)[12]), 1e-4, 1, 1))[0]
    assert row["value"] == pytest.approx(0.2, abs=0.005) and row["amplitude"] == pytest.approx(0.4, abs=0.01)
    assert row["omega"] == pytest.approx(omegas(X)[12])
    assert row["low"] < 0.2 < row["high"] and row["omega_low"] <= row["omega"] <= row["omega_high"]


@pytest.mark.parametrize(("runs", "amplitude", "omega"), [(1, 0.0, 0.5), (3, 0.3, 0.5), (3, -0.3, 1.0)])
def test_the_interval_holds_the_exponent_at_large_n(runs: int, amplitude: float, omega: float) -> None:
    rows = fitted(_many(amplitude, omega, 0.05, runs))
    held = np.mean([row["low"] <= 0.2 <= row["high"] for row in rows])
    assert held >= 0.93


def test_the_best_fit_is_that_of_least_squares_and_the_claim_that_of_the_bend() -> None:
    table = many_scales(2)
    found = corrections(table, (0, 99))
    bends = window_curvature(table, (0, 99))
    assert found.select("exponent", "p", "p_adjusted").equals(bends.select("exponent", "p", "p_adjusted"))
    row = found.filter(exponent="z").row(0, named=True)
    runs = table.with_columns(pl.col("duration").log()).group_by("n", "run").agg(pl.col("duration").mean())
    means = runs.group_by("n").agg(pl.col("duration").mean()).sort("n")["duration"].to_numpy()
    terms = [np.column_stack([np.ones_like(X), X - X[0], np.exp(-w * (X - X[0]))]) for w in omegas(X)]
    fits = [sm.OLS(means, design).fit() for design in terms]
    best = min(fits, key=lambda fit: fit.ssr)
    assert [row["value"], row["amplitude"]] == pytest.approx(best.params[1:].tolist(), rel=1e-6)
    assert row["plain"] == pytest.approx(np.polyfit(X, means, 1)[0])
    assert (row["n_scales"], row["n_runs"], row["n_steps"], row["n_smallest"]) == (len(SIZES), 28, 4, SIZES[0])


def test_what_cannot_be_said_is_said() -> None:
    few = corrections(many_scales(1).filter(pl.col("n") <= SIZES[MIN_CORRECTED - 2]), (0, 99))
    assert set(few["reason"]) == {"only 5 scales of different n: a correction to scaling needs 6"}
    exact = many_scales(1).with_columns(duration=10 * pl.col("n").cast(pl.Float64) ** 0.25)
    row = corrections(exact, (0, 99)).filter(exponent="z").row(0, named=True)
    assert row["value"] is None and row["reason"] == "nothing is left to tell the noise from"
    assert corrections(many_scales(1).head(0), (0, 99)).is_empty()
