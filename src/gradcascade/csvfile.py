"""The one way tables become CSV: texts that a spreadsheet would run as formulas are guarded, numbers stay numbers."""

from __future__ import annotations

from pathlib import Path

import polars as pl

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes a spreadsheet take a text for a formula when it comes first; the last four are full-width forms."""

GUARD = "'"
"""Put before a text that begins like a formula, or with this very character. The page's csv.js does the same."""

NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
"""Texts that are plain numbers, such as "+0.16": they begin like formulas and are harmless."""


def write_csv(table: pl.DataFrame, path: Path) -> None:
    """Write a table of any origin; see :func:`as_csv`."""
    as_csv(table).write_csv(path)


def as_csv(table: pl.DataFrame) -> pl.DataFrame:
    """Join lists by spaces and guard texts, headings too; null becomes an empty cell, empty text a quoted one."""
    cells = []
    for name, kind in table.schema.items():
        cell = pl.col(name)
        if isinstance(kind, pl.List):
            cell = cell.cast(pl.List(pl.String)).list.join(" ")
        if isinstance(kind, (pl.List, pl.String, pl.Categorical, pl.Enum)):
            cells.append(_guarded(cell.cast(pl.String)).alias(name))
    headings = pl.DataFrame({"name": table.columns}, {"name": pl.String}).with_columns(_guarded(pl.col("name")))
    return table.with_columns(cells).rename(dict(zip(table.columns, headings["name"], strict=True)))


def _guarded(text: pl.Expr) -> pl.Expr:
    risky = pl.any_horizontal(text.str.starts_with(start) for start in (*FORMULA_STARTS, GUARD))
    return pl.when(risky & ~text.str.contains(NUMBER)).then(text.str.replace("^", GUARD)).otherwise(text)
