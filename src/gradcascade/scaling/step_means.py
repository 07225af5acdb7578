"""Answers of single steps averaged over the window: without one scale, the worth of R2, with weights."""

from __future__ import annotations

import polars as pl

from gradcascade.scaling.windows import Window, in_window

_KEYS = ("family", "field", "variant", "exponent")


def window_leave_one_out(table: pl.DataFrame, window: Window = None) -> pl.DataFrame:
    """Means of ``value`` and of its extremes without one scale, and which scale that most often is."""
    return _means(
        table,
        window,
        "loo_low",
        value=pl.col("value").mean(),
        least=pl.col("loo_low").mean(),
        largest=pl.col("loo_high").mean(),
        least_without=pl.col("without_low").mode().sort().first(),
        largest_without=pl.col("without_high").mode().sort().first(),
    )


def window_compressibility(table: pl.DataFrame, window: Window = None) -> pl.DataFrame:
    """Means of R2, of that of noise and of its 95 % quantile, and how many of the ``steps`` exceed this."""
    return _means(
        table,
        window,
        "r2",
        mean_R2=pl.col("r2").mean(),
        R2_of_noise=pl.col("null_mean").mean(),
        R2_to_exceed=pl.col("null_high").mean(),
        exceeding=pl.col("exceeds").sum(),
    )


def window_weighted(table: pl.DataFrame, window: Window = None) -> pl.DataFrame:
    """Mean and SD over the ``steps`` of the exponents with weighted scales."""
    return _means(table, window, "value", weighted=pl.col("value").mean(), SD=pl.col("value").std())


def _means(table: pl.DataFrame, window: Window, known: str, **columns: pl.Expr) -> pl.DataFrame:
    inside = table.filter(in_window(table, window)) if table.height else table
    return inside.drop_nulls(known).group_by(*_KEYS, maintain_order=True).agg(**columns, steps=pl.len())
