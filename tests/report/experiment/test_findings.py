"""What an experiment puts into the page of findings."""

import importlib.util
from pathlib import Path

import polars as pl
import pytest
from matched_runs import PLAN, SIZES, matched

from gradcascade.report.experiment.data import Experiment
from gradcascade.report.experiment.page import tables_of
from gradcascade.report.experiment.result import ExperimentReport
from gradcascade.report.experiment.words import headline

ROOT = Path(__file__).resolve().parents[3]
SPEC = importlib.util.spec_from_file_location("findings", ROOT / "docs" / "findings.py")
assert SPEC and SPEC.loader
findings = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(findings)


@pytest.fixture(scope="module")
def text() -> str:
    runs = [
        {"family": f"{name}-constant", "optimizer": name, "schedule": "constant", "scale": scale, "width": width}
        | {"run": "0", "rate": 0.01, "loss": 2.5, "diverged_at": None}
        for name in ("adamw", "sgd-momentum")
        for width, scale in enumerate(SIZES)
    ]
    record = {"runs": runs, "cpu_seconds": {"tuning": 60.0, "runs": 1200.0}}
    experiment = Experiment.of(matched(steps=3), PLAN, record=record)
    report = ExperimentReport(tuple(headline(experiment)), tables_of(experiment), Path("index.html"), (100, 300))
    return findings.results(report, record)


def test_what_was_run_is_said_with_the_time_it_took(text):
    assert "8 runs: 4 scales (d16, d24, d48, d96), 1 seed of each, by adamw and sgd-momentum." in text
    assert "CPU time: tuning 60 s, runs 1,200 s." in text and "| d16 | 12,000 | 0.01 | 2.500 |" in text


def test_every_question_on_z_is_in_the_table_and_the_sentences_come_first(text):
    assert text.index("- Primary question, z of gradients less updates over 10 steps") < text.index("| primary |")
    assert text.count("| primary |") == 2 and text.count("| rest |") == 18


def test_a_table_is_read_as_it_was_written():
    table = pl.DataFrame({"a": ["x", None], "p": [0.00123, -1.5], "n": [12_000, None], "shown": [True, False]})
    assert findings.markdown(table).splitlines() == [
        "| a | p | n | shown |",
        "| --- | ---: | ---: | --- |",
        "| x | 0.0012 | 12,000 | yes |",
        "| – | −1.5 | – | no |",
    ]
