from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gradcascade.report.data import ReportData
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.figures import FIGURES
from gradcascade.report.figures.exponents_over_steps import ExponentsOverSteps
from gradcascade.report.figures.local_exponents import LocalExponents
from gradcascade.report.figures.null_baselines import NullBaselines

from . import references
from .drawn import panels
from .studies import many, planted

pytestmark = pytest.mark.skipif(
    references.release() != mpl.__version__,
    reason=f"the pictures were drawn by Matplotlib {references.release()}, not {mpl.__version__}",
)


@pytest.fixture(scope="module")
def study() -> ReportData:
    return planted()


@pytest.mark.parametrize("kind", FIGURES.values(), ids=lambda kind: kind.name)
def test_every_figure_looks_like_its_reference(kind: type[ReportFigure], study: ReportData) -> None:
    figure = kind(many() if kind is LocalExponents else study)
    assert references.difference(references.picture(figure.plot()), references.stored(figure.name)) < (
        references.TOLERANCE
    )


def _changed(axes: Axes, place: int, **settings: object) -> None:
    axes.lines[place].set(**settings)


def _lifted(axes: Axes, by: float) -> None:
    axes.lines[-1].set_ydata(np.asarray(axes.lines[-1].get_ydata()) + by)


CHANGES: dict[str, Callable[[Figure], object]] = {
    "a colour swapped": lambda figure: _changed(panels(figure)[0], -1, color="#8a4b9f"),
    "a series dropped": lambda figure: panels(figure)[2].lines[-1].remove(),
    "another marker": lambda figure: _changed(panels(figure)[1], -1, marker="v"),
    "another line style": lambda figure: _changed(panels(figure)[0], -2, linestyle=(0, (1, 1))),
    "values a tenth of a tick higher": lambda figure: _lifted(panels(figure)[1], 0.005),
    "a label gone": lambda figure: panels(figure)[0].set_ylabel(""),
    "a title changed": lambda figure: panels(figure)[0].set_title("gradient"),
    "a legend gone": lambda figure: figure.legends[0].remove(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen(change: str, study: ReportData) -> None:
    figure = NullBaselines(study).plot()
    assert references.difference(references.picture(figure), references.stored("null-baselines")) < 1
    CHANGES[change](figure)
    assert references.difference(references.picture(figure), references.stored("null-baselines")) > (
        2 * references.TOLERANCE
    )


def test_a_figure_of_other_numbers_is_seen(study: ReportData) -> None:
    from ..cascades import study_cascades

    other = ExponentsOverSteps(ReportData.from_tables(study_cascades(seed=1))).plot()
    assert references.difference(references.picture(other), references.stored("exponents")) > 2 * references.TOLERANCE


def test_the_references_are_small_and_their_release_is_pinned() -> None:
    assert sum(path.stat().st_size for path in references.FOLDER.iterdir()) < 1_000_000
    pins = Path(__file__).parents[3] / "constraints.txt"
    assert f"matplotlib=={references.release()}" in pins.read_text(encoding="utf-8").splitlines()
