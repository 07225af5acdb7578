from __future__ import annotations

import polars as pl

from gradcascade.report.data import ReportData

from ..cascades import study_cascades
from .asked import named


def test_what_further_runs_would_give_is_said_from_what_was_measured() -> None:
    table = study_cascades(steps=range(12))
    said = named(ReportData.from_tables(table))
    assert "with one more run of each scale it would be ±" in said["designs"][0]
    assert "off the power law (of which runs are a part: there is one of each)" in said["variances"][0]
    assert "%" in said["variances"][0] and "from step to step" in said["variances"][0]
    few = named(ReportData.from_tables(table.filter(pl.col("n") < sorted(set(table["n"]))[2])))
    assert "nothing can be said of further runs" in few["designs"][0]
