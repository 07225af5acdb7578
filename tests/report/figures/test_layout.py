"""Nothing overlaps, nothing is cut off, and nothing is told by colour alone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise

import polars as pl
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from gradcascade.errors import InputError
from gradcascade.report.data import ReportData
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.style import GUIDE, house_style
from gradcascade.report.figures import FIGURES
from gradcascade.report.figures.transport_over_steps import TransportOverSteps

from ..cascades import perplexities, study_cascades
from .drawn import panels
from .studies import orders_table, planted, robustness_table

PUBLISHED_STEPS = (*(2**power for power in range(10)), *range(1000, 144_000, 4000))


def published_shape() -> ReportData:
    """Two families with the scales and steps of the published ones, both fields of each."""
    pico = study_cascades(
        "pico-lm", {"tiny": 589_824, "small": 9_437_184, "medium": 37_748_736, "large": 150_994_944}
    )
    sizes = {"14m": 14_067_712, "31m": 30_494_720, "70m": 70_426_624, "160m": 162_322_944, "410m": 405_334_016}
    cascades = pl.concat([pico, study_cascades("pythia", sizes, steps=PUBLISHED_STEPS)])
    robustness = robustness_table().with_columns(family=pl.lit("pico-lm"))
    orders = orders_table().with_columns(family=pl.lit("pico-lm"))
    return ReportData.from_tables(cascades, perplexities(cascades), robustness=robustness, orders=orders)


def thirteen_scales() -> ReportData:
    cascades = study_cascades(entries={f"s{i}": 1000 * 2**i for i in range(13)}, steps=(1, 2, 3, 4, 5, 6))
    return ReportData.from_tables(cascades, perplexities(cascades))


STUDIES = {"planted": planted, "of the published shape": published_shape, "of 13 scales": thirteen_scales}


@pytest.fixture(scope="module", params=STUDIES)
def study(request: pytest.FixtureRequest) -> ReportData:
    return STUDIES[request.param]()


def laid_out(drawing: ReportFigure, width: str) -> tuple[Figure, FigureCanvasAgg]:
    figure = drawing.plot(width)  # pyright: ignore[reportArgumentType]
    canvas = FigureCanvasAgg(figure)
    with house_style():
        figure.draw_without_rendering()
    return figure, canvas


def _worth_it(kind: type[ReportFigure], study: ReportData) -> None:
    """Thirteen scales change the figures with one line per scale, and no other."""
    if len(study.scales()) == 13 and kind.name not in ("transport", "activity", "performance-scales"):
        pytest.skip("has no line per scale")


def tick_texts(axes: Axes) -> Iterator[list[tuple[float, ...]]]:
    """Extents of the shown tick labels, of each axis along itself, in pixels."""
    for axis, side in ((axes.xaxis, 0), (axes.yaxis, 1)):
        shown = [label for label in axis.get_ticklabels() if label.get_visible() and label.get_text()]
        boxes = [label.get_window_extent() for label in shown]
        low, high = sorted(axis.get_view_interval())
        inside = [box for box, place in zip(boxes, axis.get_ticklocs(), strict=False) if low <= place <= high]
        yield sorted(tuple(box.intervalx if side == 0 else box.intervaly) for box in inside)


@pytest.mark.parametrize("width", ["one", "two"])
@pytest.mark.parametrize("kind", FIGURES.values(), ids=lambda kind: kind.name)
def test_texts_neither_overlap_nor_leave_the_page(kind: type[ReportFigure], width: str, study: ReportData) -> None:
    _worth_it(kind, study)
    figure, canvas = laid_out(kind(study), width)
    millimetres = 25.4 * figure.get_size_inches()
    assert millimetres[0] == pytest.approx(85 if width == "one" else 178)
    page = figure.bbox
    renderer = canvas.get_renderer()
    for axes in panels(figure):
        box = axes.get_tightbbox(renderer)
        assert box is not None
        assert box.x0 >= page.x0 - 1 and box.x1 <= page.x1 + 1 and box.y0 >= page.y0 - 1 and box.y1 <= page.y1 + 1
        for spans in tick_texts(axes):
            assert all(left[1] <= right[0] + 0.5 for left, right in pairwise(spans)), (
                axes.get_title(loc="left"),
                spans,
            )
        assert axes.bbox.height / figure.dpi > 0.45
    for one, other in combinations(panels(figure), 2):
        assert not one.bbox.overlaps(other.bbox)
        if one.get_position().y0 == other.get_position().y0:
            a, b = sorted((one.title.get_window_extent(), other.title.get_window_extent()), key=lambda box: box.x0)
            assert a.x1 <= b.x0 + 0.5 or not (a.width and b.width)
    for legend in figure.legends:
        box = legend.get_window_extent()
        assert box.x0 >= page.x0 - 1 and box.x1 <= page.x1 + 1 and box.y0 >= page.y0 - 1
        assert all(not box.overlaps(axes.get_tightbbox(renderer)) for axes in panels(figure))  # pyright: ignore[reportArgumentType]


def lightness(colour: object) -> float:
    """CIE L* of a colour, from 0 to 100: how it looks in greyscale."""
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]  # pyright: ignore[reportArgumentType]
    luminance = 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    return 116 * luminance ** (1 / 3) - 16 if luminance > 0.008856 else 903.3 * luminance


@pytest.mark.parametrize("kind", FIGURES.values(), ids=lambda kind: kind.name)
def test_series_of_a_panel_differ_in_marker_or_dashes_beside_their_colour(
    kind: type[ReportFigure], study: ReportData
) -> None:
    _worth_it(kind, study)
    for axes in panels(kind(study).plot()):
        looks = {
            (line.get_color(), line.get_marker(), str(line.get_linestyle()), str(line._unscaled_dash_pattern))  # pyright: ignore[reportAttributeAccessIssue]
            for line in axes.lines
            if line.get_label() != GUIDE and not line.get_alpha() and line.get_markerfacecolor() != "none"
        }
        for one, other in combinations(looks, 2):
            assert one[1:] != other[1:] or abs(lightness(one[0]) - lightness(other[0])) > 15 or one[0] == other[0]


def test_other_widths_are_refused() -> None:
    with pytest.raises(InputError, match='"one" or "two" columns, got'):
        TransportOverSteps(planted()).plot("three")  # pyright: ignore[reportArgumentType]


def test_a_layout_is_the_same_at_every_run() -> None:
    """The last bits of a place depend on the order in which the solver adds up, and clip paths are named by them."""
    figure, canvas = laid_out(TransportOverSteps(planted()), "two")
    places = [axes.get_position(original=True).bounds for axes in figure.axes]
    assert all(abs(round(float(value), 9) - value) < 1e-15 for bounds in places for value in bounds)
    assert all(axes.get_in_layout() for axes in figure.axes)
    canvas.draw()
    again = [axes.get_position(original=True).bounds for axes in figure.axes]
    assert again == [pytest.approx(bounds, abs=2e-3) for bounds in places]
