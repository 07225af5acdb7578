from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gradcascade as gc
from gradcascade.errors import InputError
from gradcascade.report import access
from gradcascade.report.figures import FIGURES
from gradcascade.study.plan import Plan

from .cascades import perplexities, study_cascades


def test_the_example_of_the_docstring_is_true() -> None:
    failed, tried = doctest.testmod(access)
    assert failed == 0 and tried >= 6


def test_figures_of_a_table_are_named_and_ordered() -> None:
    cascades = study_cascades()
    drawn = gc.figures(cascades, window=(40, 100), metrics=perplexities(cascades))
    assert list(drawn) == [kind.name for kind in FIGURES.values()]
    assert drawn["performance"].missing() is None
    assert drawn["compressibility-plane"].frame()["step"].max() == 100


def test_every_figure_that_the_documentation_names_is_there() -> None:
    page = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")
    line = next(line for line in page.split("\n\n") if line.startswith("Figures by name"))
    named = re.findall(r"`([a-z-]+)`", line)
    assert len(named) >= 15 and set(named) <= set(FIGURES)


def test_a_study_without_cascades_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with gc.Study.create(tmp_path / "fresh", Plan()) as study, pytest.raises(InputError, match="has no cascades yet"):
        gc.figures(study)


def test_a_folder_that_is_no_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a study"):
        gc.figures(tmp_path)


def test_naming_figures_loads_no_matplotlib() -> None:
    code = "import gradcascade, sys; gradcascade.figures; print('matplotlib' in sys.modules, 'polars' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
