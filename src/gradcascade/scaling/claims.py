"""What an interval says about a difference: the one rule for texts, figures, tables and JSON."""

from __future__ import annotations

from enum import StrEnum

import polars as pl

LEVEL = 0.05
"""Largest p value, over all questions of its kind where there are several, of what is said to be shown."""


class Side(StrEnum):
    """On which side of zero an interval lies."""

    ABOVE = "above"
    BELOW = "below"
    OPEN = "open"
    UNKNOWN = "unknown"

    @property
    def clear(self) -> bool:
        """Whether the interval excludes zero."""
        return self in (Side.ABOVE, Side.BELOW)


def side(low: float | None, high: float | None) -> Side:
    """On which side of zero the interval from ``low`` to ``high`` lies.

    An interval of no width comes from values that agree exactly; it holds no noise to judge by, so it stays open.
    """
    if low is None or high is None or low != low or high != high:
        return Side.UNKNOWN
    if low < high and low > 0:
        return Side.ABOVE
    return Side.BELOW if low < high and high < 0 else Side.OPEN


def sides(low: str = "low", high: str = "high") -> pl.Expr:
    """:func:`side` of two columns, as text."""
    bottom, top = pl.col(low).cast(pl.Float64), pl.col(high).cast(pl.Float64)
    known = bottom.is_not_nan().fill_null(False) & top.is_not_nan().fill_null(False)
    wide = bottom < top
    return (
        pl.when(~known)
        .then(pl.lit(Side.UNKNOWN.value))
        .when(wide & (bottom > 0))
        .then(pl.lit(Side.ABOVE.value))
        .when(wide & (top < 0))
        .then(pl.lit(Side.BELOW.value))
        .otherwise(pl.lit(Side.OPEN.value))
    )
