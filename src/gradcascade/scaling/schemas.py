"""Schemas of tables, put together from columns of one type."""

from __future__ import annotations

import polars as pl

Schema = dict[str, type[pl.DataType]]


def texts(*names: str) -> Schema:
    """Columns of text."""
    return dict.fromkeys(names, pl.String)


def numbers(*names: str) -> Schema:
    """Columns of floating-point numbers."""
    return dict.fromkeys(names, pl.Float64)


def wholes(*names: str) -> Schema:
    """Columns of whole numbers."""
    return dict.fromkeys(names, pl.Int64)


def flags(*names: str) -> Schema:
    """Columns of truth values."""
    return dict.fromkeys(names, pl.Boolean)
