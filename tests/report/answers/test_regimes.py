from __future__ import annotations

import polars as pl
import pytest

from gradcascade.report.answers import all_answers
from gradcascade.report.data import ReportData
from gradcascade.scaling.window_means import window_differences

from ..cascades import study_cascades
from .asked import named, number


def test_the_contrast_of_fields_is_the_difference_of_their_exponents(data: ReportData) -> None:
    (answer,) = (answer for answer in all_answers(data) if answer.name == "contrast")
    intervals = {
        (row["field"], row["exponent"]): row["scales_value"]
        for row in data.answers["intervals"].filter(variant="real").to_dicts()
    }
    table = {row["exponent"]: row for row in answer.table.to_dicts()}
    for symbol, name in (("D", "D"), ("z", "z"), ("β", "beta"), ("δ", "delta")):
        expected = intervals["gradient", name] - intervals["update", name]
        assert number(table[symbol]["gradient − update"]) == pytest.approx(expected, abs=6e-4)
    assert "a difference in z and δ is shown" in answer.sentences[0]


def test_the_contrast_is_taken_over_the_steps_that_both_windows_hold() -> None:
    cascades = study_cascades(steps=range(20))
    spans = {("nano", "gradient"): (0, 11), ("nano", "update"): (6, 19)}
    (answer,) = (a for a in all_answers(ReportData.from_tables(cascades, window=spans)) if a.name == "contrast")
    swapped = cascades.filter(pl.col("variant") == "real").with_columns(variant="field", field=pl.lit("both"))
    parts = {"contrast": ("gradient", "update")}
    expected = window_differences(swapped, (6, 11), parts=parts).filter(exponent="z").row(0, named=True)
    assert answer.table.filter(exponent="z")["steps"].item() == expected["scales_steps"] == 6
    assert number(answer.table.filter(exponent="z")["gradient − update"].item()) == pytest.approx(
        expected["scales_value"], abs=6e-4
    )


def test_fields_without_common_steps_are_not_contrasted() -> None:
    cascades = study_cascades(steps=range(20))
    spans = {("nano", "gradient"): (0, 5), ("nano", "update"): (6, 19)}
    assert "contrast" not in named(ReportData.from_tables(cascades, window=spans))


def test_controls_are_differences_too(data: ReportData) -> None:
    cascades = data.cascades.filter(pl.col("variant").is_in(["real", "N0"]), pl.col("field") == "gradient")
    signs = cascades.with_columns(pl.col("variant").replace("N0", "signs"))
    said = named(ReportData.from_tables(signs))
    assert [sentence.split(":")[0] for sentence in said["differences"]] == ["Gradients, real − signs"]
