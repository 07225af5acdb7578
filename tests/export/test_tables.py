import dataclasses

import polars as pl
import pytest

import gradcascade as gc
from gradcascade.export.schema import TABLES
from gradcascade.export.tables import study_tables
from gradcascade.report.access import study_data


def test_a_real_study_fills_every_table(tables):
    empty = [name for name, table in tables.items() if table.is_empty()]
    # Four scales of one run, none of them sick.
    assert empty == ["local_exponents", "health", "healthy_intervals", "run_intervals"]


@pytest.mark.parametrize("name", TABLES)
def test_every_column_is_described_and_every_described_column_is_there(tables, name):
    assert dict(tables[name].schema) == TABLES[name].schema
    missing = {column for column in tables[name].columns if tables[name][column].null_count()}
    assert missing <= {column.name for column in TABLES[name].columns if column.nullable}


def test_the_tables_are_those_of_the_report(study, tables):
    with gc.Study.open(study) as opened:
        data = study_data(opened)
        assert tables["cascades"].drop("tokens").equals(opened.cascades())
        assert tables["cascades"]["tokens"].is_null().all()  # neither the plan nor a family's file tells them
    for name, answer in data.answers.items():
        assert tables[name].columns == answer.columns  # in the order of the answer, too
        assert tables[name].equals(answer.select(pl.col(c).cast(k) for c, k in tables[name].schema.items()))
    for name in ("fits", "summary", "decomposition", "metrics", "refusals"):
        assert tables[name].drop("tokens", strict=False).equals(getattr(data, name))
    assert tables["windows"].rows() == [(*group, *ends) for group, ends in data.windows.items()]


def test_what_was_not_answered_is_an_empty_table(study):
    with gc.Study.open(study) as opened:
        data = study_data(opened)
    data = dataclasses.replace(data, metrics=data.metrics.clear())
    found = study_tables(data)
    assert "associations" not in data.answers
    assert found["associations"].is_empty() and dict(found["associations"].schema) == TABLES["associations"].schema


def test_a_column_without_a_description_is_a_defect(study):
    with gc.Study.open(study) as opened:
        data = study_data(opened)
    odd = dataclasses.replace(data, metrics=data.metrics.with_columns(median=0.0))
    with pytest.raises(ValueError, match="the columns median of metrics"):
        study_tables(odd)
