import json

import pytest

from gradcascade.export.schema import SCHEMA_VERSION, TABLES, json_schema, schema_text, shipped_schema
from gradcascade.vocabulary import TYPES

COLUMNS = [(name, column) for name, table in TABLES.items() for column in table.columns]


def test_the_shipped_file_is_that_of_the_code():
    assert shipped_schema() == schema_text(), "write it again with: python docs/generate.py"
    assert json.loads(shipped_schema()) == json_schema()


@pytest.mark.parametrize(("name", "column"), COLUMNS, ids=[f"{name}.{column.name}" for name, column in COLUMNS])
def test_a_column_has_a_type_and_one_sentence(name, column):
    assert column.type in TYPES
    assert column.meaning.endswith(".") and ". " not in column.meaning
    assert (column.type in ("string", "boolean")) <= (column.unit == "")


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_one_sentence_and_no_column_twice(name):
    names = [column.name for column in TABLES[name].columns]
    assert len(names) == len(set(names))
    assert TABLES[name].meaning.endswith(".")


def test_the_json_schema_says_everything_that_the_description_does():
    said = json_schema()["properties"]
    assert said["schema_version"]["const"] == SCHEMA_VERSION
    for name, column in COLUMNS:
        found = said["tables"]["properties"][name]["items"]["properties"][column.name]
        assert found["description"] == column.meaning
        assert found.get("unit", "") == column.unit
        assert ({"type": "null"} in found.get("anyOf", [])) == column.nullable
