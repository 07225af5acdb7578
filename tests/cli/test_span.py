"""A study with updates of several spans: one span at a time, and the refusal says so."""

import json

import polars as pl
import pytest
from matched_runs import matched
from typer.testing import CliRunner

from gradcascade.cli.main import app
from gradcascade.errors import InputError
from gradcascade.study.table_cascades import merge_tables


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spans")
    matched(activity=True, steps=2, variants=("real",), seeds=1, conditions=("adamw-constant",)).write_parquet(
        folder / "table.parquet"
    )
    merge_tables([folder / "table.parquet"], folder / "study")
    return folder / "study"


def run(*arguments):
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return done.exit_code, done.output


def test_fit_takes_one_span(study):
    done = CliRunner().invoke(app, ["fit", str(study)])
    assert isinstance(done.exception, InputError) and "fit, report and export take --span" in str(done.exception)
    code, text = run("fit", study, "--span", "1", "--json")
    fits = json.loads(text)["fits"]
    assert code == 0 and {row["field"] for row in fits} == {"gradient", "momentum", "direction", "update"}
    other = json.loads(run("fit", study, "--span", "10", "--json", "--window-rule", "last")[1])["fits"]
    values = [[row["value"] for row in rows if row["field"] == "update"] for rows in (fits, other)]
    assert values[0] != values[1]
    done = CliRunner().invoke(app, ["fit", str(study), "--span", "7"])
    assert "the spans of this study are: 1, 10" in str(done.exception)


def test_export_writes_one_span(study, tmp_path):
    code, text = run("export", study, "--span", "10", "--out", tmp_path / "export", "--format", "csv")
    assert code == 0 and "tables in" in text
    spans = pl.read_csv(tmp_path / "export" / "cascades.csv")["span"].drop_nulls().unique().to_list()
    assert spans == [10]
