from __future__ import annotations

from gradcascade.report.data import ReportData
from gradcascade.report.page_tables import signed

from ..cascades import study_cascades
from .asked import answers, named


def test_continuous_z_is_set_beside_z(data: ReportData) -> None:
    answer = answers(data)["rounding"]
    row = data.answers["rounding"].filter(variant="real", field="gradient").row(0, named=True)
    assert f"z is {signed(row['z_continuous'])} instead of {signed(row['z'])}" in answer.sentences[0]


def test_without_profiles_there_is_no_answer() -> None:
    assert "rounding" not in named(ReportData.from_tables(study_cascades(fields=("gradient",)).drop("activity")))
