from __future__ import annotations

import pytest

from gradcascade.errors import InputError
from gradcascade.report.data import ReportData
from gradcascade.report.step_by_step import step_by_step

from .cascades import study_cascades


def words(data: ReportData) -> str:
    return " ".join(paragraph for _, paragraph in step_by_step(data).details)


def test_every_field_has_its_means_and_its_counts_of_steps(data: ReportData) -> None:
    details = dict(step_by_step(data).details)
    assert list(details) == ["nano, gradients", "nano, updates", "nano, gradients against updates"]
    assert "Duration: z = +0.1" in details["nano, gradients"]
    assert "its interval excludes zero at 7 of 7 steps" in details["nano, gradients"]
    assert "For normal noise (N0), z averages +0.0" in details["nano, gradients"]
    assert "excludes zero at 7 of 7 steps" in details["nano, gradients against updates"]
    assert "excludes zero at 0 of 7 steps" in details["nano, updates"]


def test_counts_of_steps_are_no_verdict() -> None:
    for noise in (0.02, 0.6):
        text = words(ReportData.from_tables(study_cascades(noise=noise)))
        assert "clear" not in text and "last longer" not in text


def test_durations_are_those_of_the_window() -> None:
    cascades = study_cascades()
    first = cascades["step"].min()
    from polars import col, when

    early = cascades.with_columns(duration=when(col("step") == first).then(499).otherwise("duration"))
    assert "499" not in words(ReportData.from_tables(early))


def test_a_window_without_measured_steps_is_refused(data: ReportData) -> None:
    with pytest.raises(InputError, match="holds no measured step; choose one within"):
        ReportData.from_tables(data.cascades, window=(10**8, 10**9))


def test_what_is_missing_is_said() -> None:
    assert "No null was measured" in words(ReportData.from_tables(study_cascades(variants=("real",))))
    assert "only nulls have exponents" in words(ReportData.from_tables(study_cascades(variants=("N0", "N1"))))
    assert step_by_step(ReportData.from_tables(study_cascades(entries={"only": 1000}))).details == ()
