"""Rolling medians, which are for drawing only (arXiv:2605.02968)."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

MEDIAN_STEPS = 11
"""Steps of the rolling medians."""


def with_median(table: pl.DataFrame, keys: Sequence[str], value: str) -> pl.DataFrame:
    """Add ``median``, centred and over 11 steps (fewer at the ends), to a table sorted by ``keys`` and step.

    It is null where the value is, and throughout a series of fewer than 22 steps, which needs none.
    """
    rolled = pl.col(value).rolling_median(MEDIAN_STEPS, center=True, min_samples=1).over(keys)
    shown = (pl.len().over(keys) >= 2 * MEDIAN_STEPS) & pl.col(value).is_not_null()
    return table.with_columns(median=pl.when(shown).then(rolled))
