"""What a Matplotlib figure shows, panel by panel, and what a frame says it should: both as counted marks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection, QuadMesh
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.style import GUIDE

Marks = Counter[tuple[Any, ...]]


def close(number: float) -> float:
    """A number to nine digits, so that equal numbers compare equal however they were computed."""
    return float(f"{number:.9g}") if abs(number) > 1e-13 else 0.0


def mark(kind: str, *numbers: float) -> tuple[Any, ...]:
    return (kind, *(close(float(number)) for number in numbers))


def panels(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


def marks(axes: Axes) -> Marks:
    """Every datum drawn in a panel; what only guides the eye is labelled so."""
    found: Marks = Counter()
    for line in axes.lines:
        if line.get_label() != GUIDE:
            found.update(_points(line.get_xdata(), line.get_ydata()))
    for collection in axes.collections:
        if isinstance(collection, LineCollection):
            found.update(_whisker(np.asarray(segment)) for segment in collection.get_segments())
        elif isinstance(collection, QuadMesh):
            found.update(_cells(collection))
        elif isinstance(collection, PolyCollection):
            found.update(
                {mark("edge", *vertex) for path in collection.get_paths() for vertex in np.asarray(path.vertices)}
            )
        else:
            raise AssertionError(f"{collection} is drawn and not looked at")
    for patch in axes.patches:
        if patch.get_label() != GUIDE:
            assert isinstance(patch, Rectangle)
            found[mark("bar", patch.get_x() + patch.get_width() / 2, patch.get_height())] += 1
    assert not axes.images
    return found


def _points(x: Any, y: Any) -> Iterable[tuple[Any, ...]]:
    pairs = zip(np.asarray(x, float), np.asarray(y, float), strict=True)
    return [mark("point", *pair) for pair in pairs if np.isfinite(pair).all()]


def _whisker(segment: np.ndarray) -> tuple[Any, ...]:
    low, high = sorted(map(tuple, segment.tolist()))
    return mark("whisker", *low, *high)


def _cells(mesh: QuadMesh) -> Iterable[tuple[Any, ...]]:
    values = np.ma.asarray(mesh.get_array())
    corners = np.asarray(mesh.get_coordinates())
    for (row, place), value in np.ma.ndenumerate(values):
        middle = (corners[row, place] + corners[row + 1, place + 1]) / 2
        yield mark("cell", middle[0], middle[1], value)


def points(rows: pl.DataFrame, x: str, y: str) -> Marks:
    return Counter(_points(rows[x].cast(pl.Float64).to_numpy(), rows[y].cast(pl.Float64).to_numpy()))


def lines(rows: pl.DataFrame, by: Sequence[str], x: str, y: str) -> Marks:
    """Points of every series, and of its median where it has one."""
    found: Marks = Counter()
    for _, series in rows.group_by(by):
        found += points(series, x, y)
        if "median" in series.columns:
            found += points(series, x, "median")
    return found


def bands(rows: pl.DataFrame) -> Marks:
    """Edges of the shaded intervals; each vertex once, since polygons repeat some."""
    known = rows.drop_nulls(["low", "high"])
    edges = {
        mark("edge", step, end) for step, *ends in known.select("step", "low", "high").iter_rows() for end in ends
    }
    return Counter(edges)


def whiskers(x: Iterable[float], low: Iterable[float | None], high: Iterable[float | None]) -> Marks:
    spans = zip(x, low, high, strict=True)
    return Counter(mark("whisker", p, a, p, b) for p, a, b in spans if a is not None and b is not None)


def compare(drawing: ReportFigure, figure: Figure, expected: Callable[[ReportFigure], list[Marks]]) -> None:
    """Fail unless every panel shows what the frame holds, each datum as often, and nothing else."""
    want, axes = expected(drawing), panels(figure)
    assert len(want) == len(axes)
    for place, (one, other) in enumerate(zip(want, map(marks, axes), strict=True)):
        # Polygons repeat vertices where they close; points and whiskers count.
        assert one == other, f"panel {place}: missing {list(one - other)[:5]}, too many {list(other - one)[:5]}"
