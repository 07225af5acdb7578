"""A page of several runs of a scale names them; one of a single run does not speak of runs."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from gradcascade.report.data import ReportData
from gradcascade.report.figures.performance_by_scale import PerformanceByScale
from gradcascade.report.page import write_report
from gradcascade.report.page_data import chart_data
from gradcascade.vocabulary import METRIC_COLUMNS, REFUSAL_COLUMNS, polars_schema

from .cascades import study_cascades


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
    assert "Runs of a scale are averaged to one point" not in html and '<th scope="col">run</th>' not in html
    assert "it ends early" in html and ">unreadable<" not in html
    assert chart_data(data)["groups"][0]["runs"] == [[], [], [], []]


def test_metrics_of_several_runs_are_averaged_in_the_chart_and_the_figure() -> None:
    cascades = with_runs("0", "seed1")
    steps = cascades["step"].unique().sort().to_list()
    rows = [
        ("nano", scale, run, step, "perplexity", value)
        for scale in ("d24", "d48", "d96", "d192")
        for step in steps
        for run, value in (("0", 2.0), ("seed1", 8.0))
    ]
    metrics = pl.DataFrame(rows, schema=polars_schema(METRIC_COLUMNS), orient="row")
    data = ReportData.from_tables(cascades, metrics)
    assert {value for scale in chart_data(data)["metrics"][0]["values"] for value in scale} == {4.0}
    frame = PerformanceByScale(data).frame()
    assert frame["value"].round(9).unique().to_list() == [4.0]
    assert frame.select("field", "scale", "step").is_unique().all()


@pytest.mark.usefixtures("no_figures")
def test_several_runs_are_named_and_said_to_be_averaged(tmp_path: Path) -> None:
    data = ReportData.from_tables(with_runs("0", "seed1").with_columns(ceiling=pl.col("run") == "seed1"))
    html = write_report(data, tmp_path).read_text(encoding="utf-8")
    assert "Runs of a scale are averaged to one point" in html
    assert "d24 (N&nbsp;=&nbsp;36,864; runs 0, seed1)" in html
    assert html.count('<th scope="col">run</th>') + html.count('<th scope="col" class="number">run</th>') >= 2
    assert chart_data(data)["groups"][0]["runs"][0] == ["0", "seed1"]
    assert "run" in pl.read_csv(tmp_path / "sources.csv").columns
