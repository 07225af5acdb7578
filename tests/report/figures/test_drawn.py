"""The frame of every figure is what the figure shows, mark by mark."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gradcascade.report.data import ReportData
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.figures import FIGURES
from gradcascade.report.figures.local_exponents import LocalExponents
from gradcascade.report.figures.robustness_map import RobustnessMap
from gradcascade.report.figures.transport_over_steps import TransportOverSteps
from gradcascade.report.page_tables import signed

from .drawn import compare, panels
from .expected import EXPECTED
from .studies import gappy, many, planted

STUDIES: dict[str, Callable[[], ReportData]] = {"planted": planted, "with gaps": gappy}


@pytest.fixture(scope="module", params=STUDIES)
def study(request: pytest.FixtureRequest) -> ReportData:
    return STUDIES[request.param]()


@pytest.mark.parametrize("width", ["one", "two"])
@pytest.mark.parametrize("kind", FIGURES.values(), ids=lambda kind: kind.name)
def test_the_frame_is_what_is_drawn(kind: type[ReportFigure], width: str, study: ReportData) -> None:
    figure = kind(many() if kind is LocalExponents else study)
    assert figure.missing() is None
    compare(figure, figure.plot(width), EXPECTED[figure.name])  # pyright: ignore[reportArgumentType]


def test_every_kind_of_figure_is_compared() -> None:
    assert {kind.name for kind in FIGURES.values()} == set(EXPECTED)


def test_the_comparison_sees_a_line_too_few_a_point_moved_and_a_mark_too_many(study: ReportData) -> None:
    drawing = TransportOverSteps(study)
    for change in (
        lambda axes: axes.lines[-1].remove(),
        lambda axes: axes.lines[-1].set_ydata(1.0001 * np.asarray(axes.lines[-1].get_ydata())),
        lambda axes: axes.plot([1], [0.01]),
    ):
        figure = drawing.plot()
        change(panels(figure)[1])
        with pytest.raises(AssertionError, match="panel 1"):
            compare(drawing, figure, EXPECTED["transport"])


def test_the_robustness_map_writes_its_shifts(study: ReportData) -> None:
    figure = RobustnessMap(study)
    texts = [text.get_text() for axes in panels(figure.plot()) for text in axes.texts]
    assert sorted(texts) == sorted(signed(shift) for shift in figure.frame()["shift"])
