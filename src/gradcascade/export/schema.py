"""The schema of what is exported: every table and column, and the same as a JSON Schema."""

import json
from importlib import resources
from typing import Any

from gradcascade.tables.column import Table
from gradcascade.tables.inferred import INFERRED
from gradcascade.tables.measured import MEASURED
from gradcascade.vocabulary import Column

SCHEMA_VERSION = 3
"""Number of the schema; it changes when a column or table is removed, renamed, or gets another meaning."""

TABLES: dict[str, Table] = {**MEASURED, **INFERRED}
"""Every exported table, by name, in the order of the files."""

NOT_FINITE = ("Infinity", "-Infinity", "NaN")
"""How JSON, which has no such numbers, spells them: as text."""

FILE = "schema.json"
"""The JSON Schema, beside this module and beside every export."""

_JSON_TYPES: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"anyOf": [{"type": "number"}, {"enum": list(NOT_FINITE)}]},
    "boolean": {"type": "boolean"},
    "integers": {"type": "array", "items": {"type": "integer"}},
}


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the exported JSON file; Parquet and CSV have the same tables and types."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tables of a gradcascade study",
        "type": "object",
        "required": ["schema_version", "gradcascade", "tables"],
        "additionalProperties": False,
        "properties": {
            "schema_version": {"const": SCHEMA_VERSION, "description": "Number of this schema."},
            "gradcascade": {"type": "string", "description": "Version of gradcascade that wrote the file."},
            "tables": {
                "type": "object",
                "required": list(TABLES),
                "additionalProperties": False,
                "properties": {name: _table(table) for name, table in TABLES.items()},
            },
        },
    }


def shipped_schema() -> str:
    """Text of the JSON Schema file of this package."""
    return resources.files("gradcascade.export").joinpath(FILE).read_text(encoding="utf-8")


def schema_text() -> str:
    """Text that the JSON Schema file should have."""
    return json.dumps(json_schema(), indent=1) + "\n"


def _table(table: Table) -> dict[str, Any]:
    names = [column.name for column in table.columns]
    return {
        "type": "array",
        "description": table.meaning,
        "items": {
            "type": "object",
            "required": names,
            "additionalProperties": False,
            "properties": {column.name: _column(column) for column in table.columns},
        },
    }


def _column(column: Column) -> dict[str, Any]:
    kind = _JSON_TYPES[column.type]
    if column.nullable:
        kind = {"anyOf": [*kind.get("anyOf", [kind]), {"type": "null"}]}
    unit = {"unit": column.unit} if column.unit else {}
    return {**kind, "description": column.meaning, **unit}
