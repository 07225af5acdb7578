from __future__ import annotations

import dataclasses

import polars as pl
import pytest

from gradcascade.errors import InputError
from gradcascade.report.data import ReportData
from gradcascade.report.findings import Comparison, compare, findings

from .cascades import study_cascades

GRADIENT, UPDATE = ("nano", "gradient"), ("nano", "update")


def test_a_planted_difference_is_clear_and_an_absent_one_is_not(data: ReportData) -> None:
    gap = compare(data, GRADIENT, "z", other=(UPDATE, "real"))
    assert gap.mean == pytest.approx(0.11, abs=0.02)
    assert gap.is_clear
    none = compare(data, UPDATE, "z", other=(UPDATE, "N1"))
    assert none.clear <= none.steps // 2
    assert not none.is_clear


def test_intervals_of_a_difference_add_in_squares(data: ReportData) -> None:
    keys = {"family": "nano", "field": "gradient", "step": 100, "exponent": "z", "n_scales": 4, "se": 0.0, "r2": 0.9}
    rows = [
        {**keys, "variant": "real", "value": 0.5, "low": 0.2, "high": 0.8},
        {**keys, "variant": "N0", "value": 0.0, "low": -0.4, "high": 0.4},
    ]
    fits = pl.DataFrame(rows)
    changed = dataclasses.replace(data, fits=fits)
    assert compare(changed, GRADIENT, "z", other=(GRADIENT, "N0")).clear == 0  # 0.5 - sqrt(0.3**2 + 0.4**2) = 0
    lift = 0.01 * (pl.col("variant") == "real").cast(pl.Float64)
    lifted = fits.with_columns(pl.col("value", "low", "high") + lift)
    assert compare(dataclasses.replace(data, fits=lifted), GRADIENT, "z", other=(GRADIENT, "N0")).clear == 1


def test_intervals_of_zero_width_are_no_evidence(data: ReportData) -> None:
    same = data.cascades.with_columns(duration=pl.lit(9, pl.Int64), size=pl.col("n") // 10)
    assert compare(ReportData.from_tables(same), GRADIENT, "z").clear == 0


@pytest.mark.parametrize(
    ("clear", "word"),
    [(10, "clear (at 10"), (9, "clear (at 9"), (6, "at most steps"), (2, "few steps only"), (0, "not clear")],
)
def test_words_follow_the_counts(clear: int, word: str) -> None:
    assert word in Comparison(0.1, 0.01, 10, clear).verdict


def test_the_opening_says_what_was_found_and_how_sure(data: ReportData) -> None:
    opening = findings(data).opening
    assert "Cascades of gradients last longer in larger models" in opening
    assert "normal noise (N0)" in opening
    assert "Between gradients and updates" in opening
    assert "How sure" in opening
    assert "95 %" in opening


def test_wide_intervals_are_not_called_clear() -> None:
    opening = findings(ReportData.from_tables(study_cascades(noise=0.6))).opening
    assert "The duration of cascades of gradients does not clearly depend on scale (clear at " in opening
    assert "last longer" not in opening and "tend to" not in opening


def test_two_fields_are_compared_over_the_steps_that_both_windows_hold(data: ReportData) -> None:
    steps = sorted(data.cascades["step"].unique())
    spans = {
        group: (steps[0], steps[-1]) if group[1] == "gradient" else (steps[2], steps[4]) for group in data.groups
    }
    narrowed = ReportData.from_tables(data.cascades, window=spans)
    (update,) = (group for group in narrowed.groups if group[1] == "update")
    assert compare(narrowed, GRADIENT, "z", other=(update, "real")).steps == 3


def test_durations_are_those_of_the_window() -> None:
    cascades = study_cascades()
    first = cascades["step"].min()
    early = cascades.with_columns(duration=pl.when(pl.col("step") == first).then(499).otherwise("duration"))
    assert "499" not in " ".join(findings(ReportData.from_tables(early)).details[0][1])


def test_a_window_without_measured_steps_is_refused(data: ReportData) -> None:
    with pytest.raises(InputError, match="holds no measured step; choose one within"):
        ReportData.from_tables(data.cascades, window=(10**8, 10**9))


def test_missing_nulls_are_said_to_be_missing() -> None:
    assert "No null was measured" in findings(ReportData.from_tables(study_cascades(variants=("real",)))).opening


def test_too_few_scales_are_said_in_words() -> None:
    cascades = study_cascades(entries={"only": 1000})
    opening = findings(ReportData.from_tables(cascades)).opening
    assert "needs at least 3 scales and this study has 1" in opening
