from __future__ import annotations

import subprocess
import sys

import pytest

from gradcascade.errors import InputError
from gradcascade.inference import infer
from gradcascade.report.data import ReportData
from gradcascade.report.page_tables import headline

from .cascades import study_cascades


def test_windows_are_the_last_two_thirds_of_the_steps_unless_given(data: ReportData) -> None:
    assert data.windows == {("nano", "gradient"): (80, 200), ("nano", "update"): (80, 200)}
    given = ReportData.from_tables(data.cascades, window=(40, 100))
    assert set(given.windows.values()) == {(40, 100)}
    assert given.summary["n_steps"].unique().to_list() == [4]


def test_scales_go_from_small_to_large_whatever_their_names() -> None:
    cascades = study_cascades(entries={"a-large": 9_000_000, "b-small": 10_000, "c-middle": 300_000}, steps=(1, 2))
    data = ReportData.from_tables(cascades)
    assert data.scales() == ["b-small", "c-middle", "a-large"]
    assert data.entries("nano") == {"b-small": 10_000, "c-middle": 300_000, "a-large": 9_000_000}


def test_headline_recovers_the_planted_exponents(data: ReportData) -> None:
    table = headline(data)
    assert table.select("field", "variant").rows()[:2] == [("gradient", "real"), ("gradient", "N0")]
    assert table.height == 8
    real = table.row(0, named=True)
    assert float(real["z"].split(" ± ")[0]) == pytest.approx(0.16, abs=0.02)
    assert real["delta"].startswith("−")
    assert real["R2_z"] > 0.98
    assert real["steps"] == 7


def test_headline_without_any_cascade_has_its_columns() -> None:
    empty = ReportData.from_tables(study_cascades(steps=(1,)).clear())
    assert headline(empty).columns == headline(ReportData.from_tables(study_cascades(steps=(1,)))).columns


def test_a_window_the_wrong_way_round_is_refused(data: ReportData) -> None:
    with pytest.raises(InputError, match="window"):
        ReportData.from_tables(data.cascades, window=(200, 20))


@pytest.mark.parametrize("module", ["gradcascade.report", "gradcascade.report.page"])
def test_import_loads_neither_matplotlib_nor_torch_nor_jinja(module: str) -> None:
    heavy = ("matplotlib", "torch", "jinja2", "scipy.stats")
    code = f"import {module}, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_answers_are_those_of_the_library_computed_once(data: ReportData) -> None:
    expected = infer(data.cascades, data.windows, data.metrics)
    assert data.answers is data.answers
    assert data.answers.keys() == expected.keys()
    assert data.answers["verdicts"].equals(expected["verdicts"])
