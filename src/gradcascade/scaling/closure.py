"""Closure over a window: what D and z say of beta and delta, and how far the fits are from it (arXiv:2605.02968)."""

from __future__ import annotations

import polars as pl

from gradcascade.scaling.exponents import EXPONENTS
from gradcascade.scaling.table_checks import FIT_KEYS, spread
from gradcascade.scaling.windows import Window, in_window

CLOSURE = {"beta": "D - z", "delta": "D - z - 1"}
"""What each of these exponents equals when the same scales enter every fit."""

_GROUP = ("family", "field", "variant")


def summarise_closure(fits: pl.DataFrame, window: Window = None) -> pl.DataFrame:
    """Means of D - z and D - z - 1 over the window: ``family, field, variant, quantity, mean, n_steps``."""
    D, z = pl.col("D"), pl.col("z")
    closed = (
        spread(fits, FIT_KEYS, "exponent", EXPONENTS, "value")
        .with_columns((D - z).alias("D - z"), (D - z - 1).alias("D - z - 1"))
        .unpivot(list(CLOSURE.values()), index=list(FIT_KEYS), variable_name="quantity")
        .drop_nulls("value")
    )
    inside = closed.filter(in_window(closed, window)) if closed.height else closed
    return (
        inside.group_by(*_GROUP, "quantity")
        .agg(mean=pl.col("value").mean(), n_steps=pl.len().cast(pl.Int64))
        .sort(*_GROUP, "quantity")
    )


def largest_closure_error(closure: pl.DataFrame) -> pl.DataFrame:
    """Largest error of each trajectory, of a table from :func:`gradcascade.scaling.exponents.closure_error`."""
    known = closure.filter(pl.col("closure_error").is_not_null())
    return (
        known.group_by(*_GROUP).agg(steps=pl.len(), largest_closure_error=pl.col("closure_error").max()).sort(*_GROUP)
    )
