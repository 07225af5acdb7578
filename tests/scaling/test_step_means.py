"""Answers of single steps are averaged over the steps of the window that have them."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from gradcascade.scaling.compressibility import compressibility_null
from gradcascade.scaling.exponents import fit_exponents
from gradcascade.scaling.leave_one_out import leave_one_out
from gradcascade.scaling.step_means import window_compressibility, window_leave_one_out, window_weighted
from gradcascade.scaling.weighted import weighted_exponents

Build = Callable[..., pl.DataFrame]


def z_of(table: pl.DataFrame) -> pl.DataFrame:
    return table.filter(pl.col("exponent") == "z", pl.col("step").is_between(2, 6))


def test_means_are_over_the_window(cascades: Build) -> None:
    table = cascades(replicates=3)
    without, worth, weighted = (
        leave_one_out(table),
        compressibility_null(fit_exponents(table)),
        weighted_exponents(table),
    )
    found = window_leave_one_out(without, (2, 6)).row(by_predicate=pl.col("exponent") == "z", named=True)
    assert found["least"] == pytest.approx(z_of(without)["loo_low"].mean()) and found["steps"] == 5
    found = window_compressibility(worth, (2, 6)).row(by_predicate=pl.col("exponent") == "z", named=True)
    assert found["mean_R2"] == pytest.approx(z_of(worth)["r2"].mean())
    assert found["exceeding"] == z_of(worth)["exceeds"].sum()
    found = window_weighted(weighted, (2, 6)).row(by_predicate=pl.col("exponent") == "z", named=True)
    assert found["SD"] == pytest.approx(z_of(weighted)["value"].std())
    assert window_weighted(weighted.clear()).is_empty()
