"""A page of several runs of a scale names them; one of a single run does not speak of runs."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from gradcascade.report import figure_views
from gradcascade.report.data import ReportData
from gradcascade.report.page import write_report
from gradcascade.report.page_data import chart_data
from gradcascade.vocabulary import REFUSAL_COLUMNS, polars_schema

from .cascades import study_cascades


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figure_views, "all_figures", lambda data: [])


def with_runs(*runs: str) -> pl.DataFrame:
    parts = [
        study_cascades(fields=("gradient",), variants=("real", "N0"), seed=seed).with_columns(
            run=pl.lit(run), span=pl.lit(None, pl.Int64), replicate=pl.lit(seed, pl.Int64)
        )
        for seed, run in enumerate(runs)
    ]
    return pl.concat(parts).select("family", "scale", "run", "span", pl.exclude("family", "scale", "run", "span"))


@pytest.mark.usefixtures("no_figures")
def test_one_run_is_not_spoken_of(tmp_path: Path) -> None:
    row = {"family": "nano", "scale": "d24", "run": "0", "step": 10, "field": "gradient", "code": "unreadable"}
    refused = pl.DataFrame([row | {"reason": "it ends early"}], schema=polars_schema(REFUSAL_COLUMNS))
    data = ReportData.from_tables(with_runs("0"), refusals=refused)
    html = write_report(data, tmp_path).read_text(encoding="utf-8")
    assert "averaged as replicates" not in html and '<th scope="col">run</th>' not in html
    assert "it ends early" in html and ">unreadable<" not in html
    assert chart_data(data)["groups"][0]["runs"] == [[], [], [], []]


@pytest.mark.usefixtures("no_figures")
def test_several_runs_are_named_and_said_to_be_averaged(tmp_path: Path) -> None:
    data = ReportData.from_tables(with_runs("0", "seed1").with_columns(ceiling=pl.col("run") == "seed1"))
    html = write_report(data, tmp_path).read_text(encoding="utf-8")
    assert "Runs of a scale are averaged as replicates of it for now" in html
    assert "d24 (N&nbsp;=&nbsp;36,864; runs 0, seed1)" in html
    assert html.count('<th scope="col">run</th>') + html.count('<th scope="col" class="number">run</th>') >= 2
    assert chart_data(data)["groups"][0]["runs"][0] == ["0", "seed1"]
    assert "run" in pl.read_csv(tmp_path / "sources.csv").columns
