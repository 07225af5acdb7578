"""Distances to the published values are in standard errors of the line across scales."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from gradcascade.scaling.published_distance import published_distances
from gradcascade.scaling.window_means import window_intervals

Build = Callable[..., pl.DataFrame]


def test_a_distance_is_ours_less_published_over_our_error(cascades: Build) -> None:
    table = cascades(range(5000, 12_000, 1000), variants=("real", "N0")).with_columns(family=pl.lit("pico-lm"))
    window = (5000, 11_000)
    row = published_distances(table, window).row(
        by_predicate=(pl.col("variant") == "real") & (pl.col("exponent") == "z"), named=True
    )
    ours = window_intervals(table, window, along=False).row(
        by_predicate=(pl.col("variant") == "real") & (pl.col("exponent") == "z"), named=True
    )
    assert row["apart"] == pytest.approx((ours["scales_value"] - row["published"]) / ours["scales_se"])
    assert row["less"] == pytest.approx(ours["scales_value"] - row["published"])
