"""Marks made from rows of a table: lines with gaps, bands, points with whiskers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from gradcascade.report.drawing.axes import cover
from gradcascade.report.drawing.style import GUIDE, density

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Style = Mapping[str, Any]

UNKNOWN: dict[str, Any] = {"hatch": "//////", "edgecolor": "#b5bcc6", "linewidth": 0}
"""Look of the cells of a map that hold no number."""

VECTOR_LIMIT = 2000
"""A line of more points is drawn as pixels inside the SVG and the PDF, or these would take megabytes."""


def draw_line(axes: Axes, rows: pl.DataFrame, x: str, y: str, style: Style) -> None:
    """Draw one series, and its rolling median over it where the rows have one (column `median`)."""
    if rows.is_empty():
        return
    places = axes.xaxis.get_transform().transform(column(rows, x))
    settings: dict[str, Any] = {**density(places), **style, "rasterized": rows.height > VECTOR_LIMIT}
    settings |= _lone(column(rows, y), settings)
    main = y
    if "median" in rows.columns and rows["median"].is_not_null().any():
        faint: dict[str, Any] = {"linewidth": 0.5, "alpha": 0.4, "marker": "", "linestyle": "-"}
        axes.plot(rows[x], column(rows, y), **{**settings, **faint})
        settings["linewidth"] = max(settings["linewidth"], 1.1)
        main = "median"
    axes.plot(rows[x], column(rows, main), **settings)


def draw_band(axes: Axes, rows: pl.DataFrame, x: str, style: Style) -> None:
    """Shade the intervals of a series, from the column `low` to the column `high`."""
    if rows.height:
        low, high = column(rows, "low"), column(rows, "high")
        many = rows.height > VECTOR_LIMIT
        axes.fill_between(rows[x], low, high, color=style["color"], alpha=0.18, linewidth=0, rasterized=many)


def draw_dots(
    axes: Axes, x: np.ndarray, y: np.ndarray, style: Style, spread: np.ndarray | None = None, level: bool = False
) -> None:
    """Draw points without a line, with whiskers to both sides."""
    if spread is not None:
        there = np.isfinite(x) & np.isfinite(y) & np.isfinite(spread)
        ends = ((x if level else y)[there] - spread[there], (x if level else y)[there] + spread[there])
        draw = axes.hlines if level else axes.vlines
        draw((y if level else x)[there], *ends, color=style["color"], linewidth=1.0)
    settings: dict[str, Any] = {**style, "linestyle": "none"}
    axes.plot(x, y, **settings)


def draw_intervals(axes: Axes, x: np.ndarray, rows: pl.DataFrame, style: Style) -> None:
    """Draw the values of rows with their intervals, from the column `low` to the column `high`."""
    axes.vlines(x, column(rows, "low"), column(rows, "high"), color=style["color"], linewidth=1.0)
    draw_dots(axes, x, column(rows, "value"), style)


def mark_cut(axes: Axes) -> bool:
    """Put an arrow head at the edge wherever an interval goes on beyond the limits; says whether any does."""
    from matplotlib.collections import LineCollection

    limits = sorted(axes.get_xlim()), sorted(axes.get_ylim())
    heads = "><" if axes.xaxis_inverted() else "<>", "^v" if axes.yaxis_inverted() else "v^"
    cut = False
    for whiskers in [own for own in axes.collections if isinstance(own, LineCollection)]:
        colours = whiskers.get_edgecolor()
        for place, segment in enumerate(map(np.asarray, whiskers.get_segments())):
            if segment.shape != (2, 2):  # an interval that is not known
                continue
            along = 0 if segment[0, 1] == segment[-1, 1] else 1
            first, last = limits[along]
            across = segment[0, 1 - along]
            if not limits[1 - along][0] <= across <= limits[1 - along][1]:
                continue
            colour = colours[place % len(colours)]
            beyond = segment[:, along].min() < first, segment[:, along].max() > last
            for there, edge, head in zip(beyond, (first, last), heads[along], strict=True):
                if there:
                    x, y = (edge, across) if along == 0 else (across, edge)
                    look: Any = {"marker": head, "color": colour, "ms": 3.4, "mew": 0, "label": GUIDE, "zorder": 5}
                    axes.plot(x, y, clip_on=False, scalex=False, scaley=False, **look)
                    cut = True
    return cut


def _lone(values: np.ndarray, settings: Style) -> dict[str, Any]:
    """Markers for the points between two gaps, which no line would show."""
    there = np.concatenate([[False], np.isfinite(values), [False]])
    lone = np.flatnonzero(there[1:-1] & ~there[:-2] & ~there[2:])
    marked: Any = settings["markevery"]
    if not settings.get("marker"):
        return {"marker": ".", "markersize": 2.0, "markevery": lone.tolist()} if lone.size else {}
    return {} if marked == 1 else {"markevery": sorted({*marked, *lone.tolist()})}


def column(table: pl.DataFrame, name: str) -> np.ndarray:
    """Take a column as float64 with NaN where null."""
    return table[name].cast(pl.Float64).to_numpy()


def show_all(axes: Axes, rows: pl.DataFrame) -> None:
    """Set vertical limits that show every value of the rows, and of the intervals all but the widest tenth."""
    cover(axes, *(column(rows, name) for name in ("value", "low", "high")))
