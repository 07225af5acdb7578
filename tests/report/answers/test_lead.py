from __future__ import annotations

import dataclasses
import re

import polars as pl
import pytest

from gradcascade.report.answers import lead
from gradcascade.report.data import ReportData

from ..cascades import study_cascades


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "Gradients: cascades last longer in larger models, by more than noise explains"),
        ({"variants": ("real",)}, "the scales do not settle whether"),
        ({"entries": {"only": 1000}}, "needs at least 3 scales and this study has 1"),
    ],
)
def test_the_first_paragraph_follows_the_verdicts(change: dict, words: str) -> None:
    text = lead(ReportData.from_tables(study_cascades(**change)))
    assert words in text
    assert not re.search(r"None|nan|null\b", text)


def test_runs_of_a_scale_are_said_to_be_averaged() -> None:
    one = study_cascades()
    again = one.filter(pl.col("scale") == "d48", pl.col("variant") == "real")
    more = pl.concat([one.with_columns(run=pl.lit("0")), again.with_columns(run=pl.lit("seed1"))])
    data = ReportData.from_tables(one)
    data.__dict__["several_runs"] = ReportData.several_runs.func(dataclasses.replace(data, cascades=more))  # pyright: ignore
    assert "a scale is one point, the mean of its runs: d48 (2 runs)" in lead(data)
    assert "one run of a scale may differ" in lead(ReportData.from_tables(one.with_columns(run=pl.lit("0"))))


def test_the_questions_that_the_page_asks_are_counted() -> None:
    data = ReportData.from_tables(study_cascades())
    found = re.search(r"The page asks (\d+) questions: (.*?)\. A claim must hold", lead(data))
    assert found is not None
    parts = [re.fullmatch(r"(\d+) on (.*)", part) for part in re.split(r", | and ", found[2])]
    counts = {part[2]: int(part[1]) for part in parts if part}
    assert sum(counts.values()) == int(found[1]) and len(counts) == len(parts)
    assert counts["the regime of a field"] == data.answers["verdicts"].height
    bends = data.answers["window_curvature"].filter(
        pl.col("variant") == "real", pl.col("exponent").is_in(["D", "z", "delta"]), pl.col("p").is_not_null()
    )
    assert counts["bends"] == bends.height > 0
