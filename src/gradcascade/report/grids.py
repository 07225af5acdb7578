"""Tables made ready for the page: headings in words, cells as text, numbers kept for sorting and copying."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from gradcascade.report import page_tables, words
from gradcascade.vocabulary import SYMBOLS

ROW_LIMIT = 200
NAMES = (
    words.headings()
    | SYMBOLS
    | {f"R2_{name}": f"R² of {symbol}" for name, symbol in SYMBOLS.items()}
    | {f"{name} {end}": f"{symbol} {end}" for name, symbol in SYMBOLS.items() for end in ("low", "high")}
)
"""Headings of the columns that are not their own names."""


@dataclass(frozen=True)
class Cell:
    """A cell: what is read, and the number behind it for sorting and copying where it says more."""

    text: str
    value: str | None = None


@dataclass(frozen=True)
class Table:
    """A table ready for the page."""

    label: str
    columns: tuple[tuple[str, bool], ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: int


def as_table(frame: pl.DataFrame, label: str, limit: int = ROW_LIMIT) -> Table:
    """Format a table for the page."""
    shown = frame.head(limit)
    numeric = [kind.is_numeric() or _numbers(shown[name]) for name, kind in shown.schema.items()]
    columns = tuple(zip((NAMES.get(name, name) for name in frame.columns), numeric, strict=True))
    rows = tuple(tuple(map(_cell, row, frame.columns)) for row in shown.iter_rows())
    return Table(label, columns, rows, frame.height)


def together(text: str) -> str:
    """Keep numbers and what belongs to them on one line."""
    return text.replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}").replace(" %", "\N{NO-BREAK SPACE}%")


def tree(value: object) -> Any:
    """Turn nested settings into names with text or branches."""
    if isinstance(value, Mapping):
        return [(str(name), tree(part)) for name, part in value.items()]
    if isinstance(value, list | tuple):
        if any(isinstance(part, Mapping | list | tuple) for part in value):
            return [(str(place), tree(part)) for place, part in enumerate(value, 1)]
        return ", ".join(str(part) for part in value)
    return page_tables.ABSENT if value is None else str(value)


def _numbers(column: pl.Series) -> bool:
    """Whether a column of text holds numbers with their signs or spreads, which stand better at the right."""
    if column.dtype != pl.String or column.drop_nulls().is_empty():
        return False
    marks = column.drop_nulls().str.contains(
        rf"^([+{page_tables.MINUS}]?\d[\d.,]*( ±.*| to .*| %| \(.*)?|{page_tables.ABSENT})$"
    )
    return bool(marks.all()) and not bool((column.drop_nulls() == page_tables.ABSENT).all())


def _cell(value: object, name: str = "") -> Cell:
    if value is None or value != value:
        return Cell(page_tables.ABSENT)
    if isinstance(value, float):
        text = f"{value:{'.3f' if 'R2' in name else '.4g'}}".replace("-", page_tables.MINUS)
        return Cell(text, f"{value:.7g}")
    if isinstance(value, int) and not isinstance(value, bool):
        return Cell(f"{value:,}", str(value))
    return Cell(together(str(value)))
