"""Write tables as Parquet, CSV or JSON, so that each can be read back without loss."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from gradcascade import __version__
from gradcascade.csvfile import write_csv
from gradcascade.errors import InputError
from gradcascade.export.citations import bibtex
from gradcascade.export.schema import FILE, SCHEMA_VERSION, shipped_schema

FORMATS = ("parquet", "csv", "json")

JSON_FILE = "tables.json"
CITATION_FILE = "CITATION.bib"


def write_tables(
    tables: Mapping[str, pl.DataFrame], folder: Path, form: str, families: Mapping[str, str]
) -> list[Path]:
    """Write tables, one file each (``json``: one for all), with the schema and BibTeX; gives the tables' files."""
    if form not in FORMATS:
        raise InputError(f"there is no format {form!r}; choose from {', '.join(FORMATS)}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if form == "json":
            paths = [folder / JSON_FILE]
            paths[0].write_text(as_json(tables), encoding="utf-8")
        else:
            paths = [folder / f"{name}.{form}" for name in tables]
            for path, table in zip(paths, tables.values(), strict=True):
                if form == "parquet":
                    table.write_parquet(path)
                else:
                    write_csv(table, path)
        (folder / FILE).write_text(shipped_schema(), encoding="utf-8")
        (folder / CITATION_FILE).write_text(bibtex(families), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror or error}; choose another --out") from None
    return paths


def as_json(tables: Mapping[str, pl.DataFrame]) -> str:
    """All tables as one JSON object, as :func:`gradcascade.export.schema.json_schema` describes it, a row a line."""
    lines = [f'{{"schema_version": {SCHEMA_VERSION}, "gradcascade": {json.dumps(__version__)}, "tables": {{']
    parts = []
    for name, table in tables.items():
        rows = ",\n".join(
            json.dumps(_finite(row), ensure_ascii=False, allow_nan=False) for row in table.iter_rows(named=True)
        )
        parts.append(f"{json.dumps(name)}: [\n{rows}\n]" if rows else f"{json.dumps(name)}: []")
    return "\n".join([*lines, ",\n".join(parts), "}}"]) + "\n"


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _spelled(value) if isinstance(value, float) else value for name, value in row.items()}


def _spelled(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
