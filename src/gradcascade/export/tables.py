"""Gather the tables of a study, in the columns and types of the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from gradcascade.export.schema import TABLES
from gradcascade.report.tokens import with_tokens

if TYPE_CHECKING:
    from gradcascade.report.data import ReportData


def study_tables(data: ReportData) -> dict[str, pl.DataFrame]:
    """Every table of the schema with exactly its columns; those without answers (no metrics, say) are empty."""
    ends = [(family, field, *steps) for (family, field), steps in data.windows.items()]
    found = {
        "cascades": with_tokens(data.cascades, data.tokens),
        "metrics": with_tokens(data.metrics, data.tokens),
        "refusals": data.refusals,
        "windows": pl.DataFrame(ends, schema=TABLES["windows"].schema, orient="row"),
        "fits": with_tokens(data.fits, data.tokens),
        "summary": data.summary,
        "decomposition": data.decomposition,
        **data.answers,
    }
    if unknown := sorted(set(found) - set(TABLES)):
        raise ValueError(f"the tables {', '.join(unknown)} are not described in gradcascade.export")
    return {name: _described(name, found.get(name)) for name in TABLES}


def _described(name: str, table: pl.DataFrame | None) -> pl.DataFrame:
    schema = TABLES[name].schema
    if table is None:
        return pl.DataFrame(schema=schema)
    absent = {"run": pl.lit("0"), "span": pl.lit(None)}  # tables of one run need not name it
    table = table.with_columns(**{c: value for c, value in absent.items() if c in schema and c not in table.columns})
    if set(table.columns) != set(schema):
        odd = sorted(set(table.columns) ^ set(schema))
        raise ValueError(f"the columns {', '.join(odd)} of {name} are not as gradcascade.export describes them")
    return table.select(pl.col(column).cast(kind) for column, kind in schema.items())
