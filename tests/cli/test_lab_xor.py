import json
from pathlib import Path

import polars as pl
from typer.testing import CliRunner

from gradcascade.cli.main import app
from gradcascade.report.labs.xor.figures import FIGURES

SMALL = ["lab", "xor", "--quick", "--widths", "20,30,50", "--epochs", "60", "--mode", "shadow"]


def test_the_lab_says_what_it_found_and_leaves_a_table_that_becomes_a_study(tmp_path):
    done = CliRunner().invoke(app, [*SMALL, "--out", str(tmp_path / "xor"), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert {row["phase"] for row in found["phases"]} == {"before", "after", "all", "after - before"}
    assert found["config"]["widths"] == [20, 30, 50]
    assert pl.read_csv(tmp_path / "xor" / "cascades.csv").height == 3 * 2 * 7 * 2
    page = Path(found["report"]).read_text(encoding="utf-8")
    for figure in FIGURES:
        assert f'id="figure-{figure.name}"' in page
    assert "runs = 2" in page
    tables = tmp_path / "xor" / "report" / "tables"
    assert pl.read_csv(tables / "phases.csv").height == len(found["phases"])
    study = ["merge", str(tmp_path / "xor" / "cascades.csv"), "--out", str(tmp_path / "study")]
    merged = CliRunner().invoke(app, study)
    assert merged.exit_code == 0, merged.output


def test_an_unknown_choice_is_refused(tmp_path):
    refused = CliRunner().invoke(app, ["lab", "xor", "--out", str(tmp_path), "--activation", "gelu"])
    assert "activation must be one or several different ones of tanh, relu, sigmoid" in str(refused.exception)
