"""Checks and reshaping shared by the modules that work on tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.errors import InputError

FIT_KEYS = ("family", "field", "variant", "step")
"""Columns that name one fit: the scales of one family, field and variant at one step."""


def require_columns(table: pl.DataFrame, columns: Iterable[str], what: str) -> None:
    """Refuse a table that lacks columns."""
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise InputError(
            f"the {what} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)} "
            f"(it has {', '.join(table.columns) or 'none'}); add or rename them"
        )


def require_values(table: pl.DataFrame, columns: Iterable[str], what: str) -> None:
    """Refuse a table with empty cells, NaN or infinity in columns that must be known in every row."""
    for name in columns:
        column = table.get_column(name)
        empty = column.is_null()
        if column.dtype.is_float():
            empty |= ~column.is_finite().fill_null(False)
        if empty.any():
            raise InputError(
                f"the {what} has no finite value for {name} in {empty.sum()} of {table.height} rows, first in row "
                f"{int(empty.arg_max() or 0)}; fill in or drop these rows"
            )


def require_numbers(table: pl.DataFrame, columns: Iterable[str], what: str) -> None:
    """Refuse a table whose columns hold something else than numbers."""
    for name in columns:
        kind = table.schema[name]
        if not kind.is_numeric() and table.height:
            raise InputError(f"the column {name} of the {what} holds {kind}, not numbers; convert it first")


def require_unique(table: pl.DataFrame, columns: Sequence[str], what: str, advice: str) -> None:
    """Refuse a table that says the same thing twice."""
    repeated = table.select(columns).is_duplicated()
    if repeated.any():
        first = table.select(columns).row(int(repeated.arg_max() or 0), named=True)
        raise InputError(
            f"the {what} has {repeated.sum()} rows that share their place with another one, first "
            f"{', '.join(f'{name} {value}' for name, value in first.items())}; {advice}"
        )


def spread(table: pl.DataFrame, index: Sequence[str], on: str, names: Sequence[str], value: str) -> pl.DataFrame:
    """Turn rows into columns, with every column present even if no row fills it."""
    cells = [pl.col(value).filter(pl.col(on) == name).first().alias(name) for name in names]
    return table.sort(index, maintain_order=True).group_by(index, maintain_order=True).agg(cells)


def group_starts(sorted_table: pl.DataFrame, columns: Sequence[str]) -> NDArray[np.intp]:
    """First rows of the runs of equal keys in a sorted table."""
    if not sorted_table.height:
        return np.zeros(0, dtype=np.intp)
    run = sorted_table.select(pl.struct(columns).rle_id().alias("run")).get_column("run").to_numpy()
    return np.flatnonzero(np.diff(run, prepend=-1)).astype(np.intp)
