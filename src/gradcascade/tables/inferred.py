"""Descriptions of the answers of :func:`gradcascade.infer`: ``inferred.toml``, read once."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

from gradcascade.tables.column import ACROSS, ALONG, OF_WINDOW, Table
from gradcascade.vocabulary import (
    CODE,
    EXPONENT,
    FAMILY,
    FIELD,
    FITTED,
    N_SCALES,
    OF_STEP,
    REASON,
    SCALE,
    STEP,
    TYPES,
    VARIANT,
    Column,
)

Columns = tuple[Column, ...]


def _column(name: str, type: str, meaning: str, unit: str = "", nullable: bool | None = None) -> Column:
    assert type in TYPES, f"column {name} has the type {type!r}"
    return Column(name, type, unit, meaning, type == "number" if nullable is None else nullable)


def _columns(entries: list[Any], shared: dict[str, Columns]) -> Columns:
    parts = (shared[entry] if isinstance(entry, str) else (_column(**entry),) for entry in entries)
    # A table may say more of a column that it shares.
    return tuple({column.name: column for part in parts for column in part}.values())


def _read() -> dict[str, Table]:
    content = tomllib.loads((resources.files("gradcascade.tables") / "inferred.toml").read_text(encoding="utf-8"))
    alone = (FAMILY, FIELD, SCALE, STEP, VARIANT, EXPONENT, N_SCALES)
    shared: dict[str, Columns] = {column.name: (column,) for column in alone}
    shared["reason"] = CODE, REASON
    shared |= {"ALONG": ALONG, "ACROSS": ACROSS, "OF_WINDOW": OF_WINDOW, "OF_STEP": OF_STEP, "FITTED": FITTED}
    shared |= {name: _columns(entries, shared) for name, entries in content.pop("groups").items()}
    tables = {}
    for name, table in content.items():
        tables[name] = Table(table["meaning"], _columns(table["columns"], shared))
        # A later table may hold all that an earlier one says of a family and field.
        shared[name.upper()] = tuple(column for column in tables[name].columns if column not in (FAMILY, FIELD))
    return tables


INFERRED = _read()
"""By name, in the order of the files."""
