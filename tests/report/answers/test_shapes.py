from __future__ import annotations

import polars as pl

from gradcascade.report.data import ReportData

from ..cascades import study_cascades
from .asked import named


def test_bends_and_laws_are_named_where_they_are_shown() -> None:
    bent = study_cascades(steps=range(30), noise=0.0)
    factor = (pl.col("n").log() - 13) ** 2 * 0.05
    bent = bent.with_columns(duration=(pl.col("duration") * 100 * factor.exp()).round().cast(pl.Int64))
    wobble = (pl.col("step") % 3).cast(pl.Int64)
    said = named(ReportData.from_tables(bent.with_columns(duration=pl.col("duration") + wobble)))
    assert "the power law bends in" in said["curvature"][0]
