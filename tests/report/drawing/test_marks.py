from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gradcascade.report.data import ReportData
from gradcascade.report.drawing.marks import mark_cut
from gradcascade.report.drawing.style import GUIDE
from gradcascade.report.figures.forest import Forest
from gradcascade.report.figures.gradient_against_update import GradientAgainstUpdate

from ..cascades import study_cascades


def heads(axes: Axes) -> set[tuple[Any, ...]]:
    """Arrow heads that say an interval goes on: marker and place."""
    lines = [line for line in axes.lines if line.get_label() == GUIDE and line.get_marker() in tuple("<>^v")]
    return {(line.get_marker(), *np.ravel(line.get_xydata()).tolist()) for line in lines}


def test_an_interval_that_the_limits_cut_has_an_arrow_head_at_the_edge_and_no_other_has() -> None:
    axes = Figure().subplots()
    axes.hlines([1.0, 2.0, 3.0, 9.0], [0.2, -1.0, -5.0, -5.0], [0.8, 0.5, 7.0, 7.0], color=["r", "g", "b", "k"])
    axes.vlines([0.5, 0.6, 0.7], [1.0, -8.0, np.nan], [2.0, 3.0, np.nan])
    axes.set_xlim(0, 1)
    axes.set_ylim(5, 0)  # upside down: the lowest number is at the top
    assert mark_cut(axes)
    assert heads(axes) == {("<", 0.0, 2.0), ("<", 0.0, 3.0), (">", 1.0, 3.0), ("^", 0.6, 0.0)}
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 1), (5, 0))
    axes.set_xlim(-10, 10)
    axes.set_ylim(-10, 10)
    assert not mark_cut(axes)


def test_figures_say_where_they_cut_an_interval(data: ReportData) -> None:
    wide = ReportData.from_tables(
        study_cascades(entries={"a": 1000, "b": 1200, "c": 90_000}, noise=0.5, steps=(1, 2))
    )
    words = "goes on beyond the axis"
    for kind in (Forest, GradientAgainstUpdate):
        drawing = kind(wide)
        figure = drawing.plot()
        found = set().union(*map(heads, figure.axes))
        assert found and words in [text.get_text() for text in figure.legends[0].get_texts()]
    rows = Forest(wide).frame().filter(pl.col("quantity") == "delta")
    axes = Forest(wide).plot().axes[2]
    low, high = axes.get_xlim()
    assert len(heads(axes)) == rows.filter(pl.col("low") < low).height + rows.filter(pl.col("high") > high).height
    assert words not in [text.get_text() for text in Forest(data).plot().legends[0].get_texts()]
