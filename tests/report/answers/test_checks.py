from __future__ import annotations

import polars as pl
import pytest

from gradcascade.report.data import ReportData

from ..cascades import ENTRIES, study_cascades
from .asked import answers, named


@pytest.mark.parametrize(
    ("name", "table", "known", "means"),
    [
        ("leave-one-out", "leave_one_out", "loo_low", {"value": "value", "least": "loo_low", "largest": "loo_high"}),
        ("compressibility-null", "compressibility", "r2", {"mean_R2": "r2", "R2_of_noise": "null_mean"}),
    ],
)
def test_means_are_those_of_the_known_steps_of_the_window(
    data: ReportData, name: str, table: str, known: str, means: dict[str, str]
) -> None:
    first, last = data.windows["nano", "gradient"]
    full = data.answers[table].filter(field="gradient", variant="real", exponent="z")
    steps = full.filter(pl.col("step").is_between(first, last), pl.col(known).is_not_null())
    assert steps.height < full.height
    row = answers(data)[name].table.filter(field="gradient", variant="real", exponent="z").row(0, named=True)
    assert row["steps"] == steps.height
    for shown, column in means.items():
        assert row[shown] == pytest.approx(sum(steps[column].to_list()) / steps.height)


def test_what_cannot_be_said_has_its_reason(data: ReportData) -> None:
    three = dict(list(ENTRIES.items())[:3])
    said = named(ReportData.from_tables(study_cascades(entries=three, fields=("gradient",))))
    assert said["leave-one-out"][0].startswith("No scale can be left out: ")
    assert named(data)["weighted"][0].startswith("Scales cannot be weighted: ")
