"""Which associations are more than chance explains."""

from __future__ import annotations

import polars as pl

RATE = 0.05
"""Largest expected share of false discoveries among those called so."""


def discoveries(associations: pl.DataFrame, rate: float = RATE) -> pl.DataFrame:
    """Rows of :func:`gradcascade.performance.association.associations` with q up to ``rate``, the strongest first."""
    found = associations.filter(pl.col("pearson").is_not_null(), pl.col("q") <= rate)
    return found.sort(pl.col("pearson").abs(), descending=True, maintain_order=True)
