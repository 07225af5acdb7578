import csv
import json
import math
import re
import string
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcascade.csvfile import FORMULA_STARTS, GUARD, NUMBER, write_csv
from gradcascade.errors import InputError
from gradcascade.export.schema import TABLES, json_schema
from gradcascade.export.write import as_json, write_tables

SPELLED = {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}


def from_csv(path, name):
    """Read a table back as the documentation says."""
    schema = TABLES[name].schema
    lists = {column for column, kind in schema.items() if isinstance(kind, pl.List)}
    table = pl.read_csv(path, schema={c: pl.String() if c in lists else k for c, k in schema.items()})
    for column in lists:
        parts = pl.col(column).str.split(" ").list.eval(pl.element().filter(pl.element() != ""))
        table = table.with_columns(parts.cast(pl.List(pl.Int64)))
    texts = [column for column, kind in schema.items() if kind == pl.String]
    return table.with_columns(pl.col(texts).str.strip_prefix(GUARD))


def from_json(text, name):
    rows = json.loads(text)["tables"][name]
    numbers = {column.name for column in TABLES[name].columns if column.type == "number"}
    rows = [
        {key: SPELLED[value] if key in numbers and isinstance(value, str) else value for key, value in row.items()}
        for row in rows
    ]
    return pl.DataFrame(rows, schema=TABLES[name].schema, orient="row")


def complaints(value: Any, schema: dict[str, Any], place: str = "file") -> list[str]:
    """What a value does not keep of a JSON Schema; only the keywords that ours uses are known."""
    known = {"$schema", "title", "description", "unit", "type", "const", "enum", "anyOf"}
    known |= {"required", "properties", "additionalProperties", "items"}
    assert set(schema) <= known
    if "anyOf" in schema:
        if all(complaints(value, part, place) for part in schema["anyOf"]):
            return [f"{place} is {value!r}, not one of {schema['anyOf']}"]
        return []
    if value != schema.get("const", value) or ("enum" in schema and value not in schema["enum"]):
        return [f"{place} is {value!r}"]
    kinds = {
        "object": "dict", "array": "list", "string": "str", "boolean": "bool", "null": "NoneType", "integer": "int",
        "number": "int float",
    }  # fmt: skip
    kind = schema.get("type")
    if kind and type(value).__name__ not in kinds[kind].split():
        return [f"{place} is {value!r}, not {kind}"]
    if kind == "object":
        odd = set(value) ^ set(schema["properties"])
        found = [f"{place} has or lacks {odd}"] if odd else []
        return found + [w for k, v in value.items() for w in complaints(v, schema["properties"][k], f"{place}.{k}")]
    if kind == "array":
        return [w for i, part in enumerate(value) for w in complaints(part, schema["items"], f"{place}[{i}]")]
    return []


@pytest.mark.parametrize("form", ["parquet", "csv", "json"])
def test_a_real_study_comes_back_from_every_format(tables, tmp_path, form):
    paths = write_tables(tables, tmp_path, form, {"tiny": ""})
    for number, (name, table) in enumerate(tables.items()):
        path = paths[0] if form == "json" else paths[number]
        if form == "parquet":
            found = pl.read_parquet(path)
        else:
            found = from_csv(path, name) if form == "csv" else from_json(path.read_text(encoding="utf-8"), name)
        assert found.schema == table.schema
        assert found.equals(table)
    assert {path.name for path in tmp_path.iterdir()} - {path.name for path in paths} == {
        "schema.json",
        "CITATION.bib",
    }


def test_the_json_file_keeps_its_schema(tables, tmp_path):
    write_tables(tables, tmp_path, "json", {})
    shipped = json.loads((tmp_path / "schema.json").read_text(encoding="utf-8"))
    content = json.loads((tmp_path / "tables.json").read_text(encoding="utf-8"))
    assert shipped == json_schema()
    assert complaints(content, shipped) == []
    content["tables"]["cascades"][0]["size"] = "12"
    content["tables"]["fits"][0].pop("reason")
    assert len(complaints(content, shipped)) == 2


TEXT = st.text(
    st.sampled_from(string.ascii_letters + "=+-@',;\"\t\r\n \\\u2028\x00é\uff1d0") | st.characters(codec="utf-8")
)
FLOAT = st.floats(width=64)
ROW = st.fixed_dictionaries(
    {
        "family": TEXT,
        "scale": TEXT,
        "run": TEXT,
        "step": st.integers(-(2**63), 2**63 - 1),
        "metric": TEXT,
        "value": st.none() | FLOAT,
    }
)


@given(st.lists(ROW, min_size=1, max_size=8))
def test_any_text_and_any_number_comes_back(tmp_path_factory, rows):
    table = pl.DataFrame(rows, schema=TABLES["metrics"].schema, orient="row")
    path = tmp_path_factory.getbasetemp() / "any.csv"
    write_csv(table, path)
    assert from_csv(path, "metrics").equals(table)
    assert from_json(as_json({"metrics": table}), "metrics").equals(table)
    with path.open(encoding="utf-8", newline="") as file:  # a reader that is not ours nor Polars'
        read = list(csv.reader(file))[1:]
    assert [row[0].removeprefix(GUARD) for row in read] == [row["family"] for row in rows]
    assert not any(
        row[column].startswith(FORMULA_STARTS) and not re.fullmatch(NUMBER[1:-1], row[column])
        for row in read
        for column in (0, 1, 2, 4)
    )


def test_numbers_that_json_lacks_are_spelled_out(tables):
    odd = tables["cascades"].head(3).with_columns(pl.Series("max_over_tau", [math.inf, math.nan, None]))
    text = as_json({"cascades": odd})
    assert re.findall(r'"max_over_tau": ("\w+"|null)', text) == ['"Infinity"', '"NaN"', "null"]


def test_an_unknown_format_or_folder_is_named(tables, tmp_path):
    with pytest.raises(InputError, match="no format 'xlsx'"):
        write_tables(tables, tmp_path, "xlsx", {})
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_tables(tables, tmp_path / "file", "csv", {})
