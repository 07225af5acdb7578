"""How often the intervals and tests of this package are right, from planted cascades."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from gradcascade.report.drawing.canvas import TICKS_HEIGHT, TITLE_HEIGHT, Canvas
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.marks import column, draw_dots
from gradcascade.report.drawing.quantities import VARIANT_STYLES
from gradcascade.report.drawing.style import GRID, GUIDE, INK, WINDOW_COLOUR, line_key, plain
from gradcascade.scaling.table_checks import require_columns, require_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("part", "case", "quantity", "nominal", "share", "repetitions")
EDGE = 0.1
"""Shares are drawn no nearer to 0 and 100 % than this; the axis has no place for these."""

TICKS = (0.1, 1, 5, 20, 50, 80, 95, 99, 99.9)


class Calibration(ReportFigure):
    """Shares of intervals that cover what was planted, and of tests that reject what is not there.

    Columns: part (what was tried), case (on what), quantity (which answer), nominal and share (%, what it should be
    and is), repetitions, and drawn (the share, kept off 0 and 100 %).
    """

    name = "calibration"
    title = "Calibration of the intervals and tests"

    def __init__(self, table: pl.DataFrame):
        require_columns(table, COLUMNS, "table of calibration")
        require_numbers(table, COLUMNS[3:], "table of calibration")
        self.given = table

    def _frame(self) -> pl.DataFrame:
        shown = pl.col("share").cast(pl.Float64).clip(EDGE, 100 - EDGE)
        return self.given.select(*COLUMNS, drawn=shown)

    def _caption(self) -> str:
        return (
            "How often the answers are right on cascades with planted exponents, on a logistic axis. The line is the "
            "nominal share (95 % for intervals, 5 % for tests), the band what chance alone does to it with this many "
            f"repetitions. Shares below {EDGE:g} and above {100 - EDGE:g} % are drawn at these."
        )

    def _missing(self) -> str | None:
        if self.frame().is_empty():
            return "The table of calibration is empty; run benchmarks/calibration.py with --out."
        return None

    def _draw(self, canvas: Canvas) -> None:
        from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

        parts = self.frame().partition_by("part", maintain_order=True)
        cases = [part["case"].unique(maintain_order=True).to_list() for part in parts]
        letters, ticks, size = (34, TICKS[2::2], 5.6) if canvas.narrow else (60, TICKS, 6.2)
        labels = [[fill(plain(name, 80), letters) for name in names] for names in cases]
        heights = [0.25 + len(names) * (0.05 + 0.105 * max(_lines(name) for name in names)) for names in labels]
        titles = [fill(plain(part["part"][0], 80), 24 if canvas.narrow else 80) for part in parts]
        panels = _stacked(canvas, titles, heights)
        for axes, part, names, words in zip(panels, parts, cases, labels, strict=True):
            for nominal, repetitions in part.select("nominal", "repetitions").unique().sort("nominal").iter_rows():
                low, high = np.clip(chance_band(nominal, repetitions), EDGE, 100 - EDGE)
                axes.axvspan(low / 100, high / 100, color=WINDOW_COLOUR, linewidth=0, zorder=0, label=GUIDE)
                axes.axvline(nominal / 100, color=INK, linewidth=0.8, label=GUIDE)
            keys = []
            for place, quantity in enumerate(part["quantity"].unique(maintain_order=True)):
                style = VARIANT_STYLES[place % len(VARIANT_STYLES)] | {"linestyle": "none", "alpha": 0.9}
                rows = part.filter(pl.col("quantity") == quantity)
                heights = np.array([-float(names.index(case)) for case in rows["case"]])
                draw_dots(axes, column(rows, "drawn") / 100, heights, style)
                keys.append((line_key(**style), plain(quantity)))
            axes.set_xscale("logit")
            axes.set_xlim(EDGE / 120, 1 - EDGE / 120)
            axes.xaxis.set_major_locator(FixedLocator([tick / 100 for tick in ticks]))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}"))
            axes.grid(axis="x", color=GRID, linewidth=0.5)
            axes.set_yticks([-float(place) for place in range(len(names))], words, fontsize=size)
            axes.set_ylim(-len(names) + 0.3, 0.7)
            _legend(canvas, axes, keys)
            axes.set_xlabel("share (%)")


def _lines(text: str) -> int:
    return text.count("\n") + 1


NORMAL_95 = 1.959964


def chance_band(nominal: float, repetitions: int) -> tuple[float, float]:
    """Range, in percent, that holds a counted share of 95 in 100 times where ``nominal`` percent is true.

    The normal approximation of the binomial; it may reach beyond 0 and 100.
    """
    reach = NORMAL_95 * sqrt(nominal * (100 - nominal) / max(repetitions, 1))
    return nominal - reach, nominal + reach


def _stacked(canvas: Canvas, titles: Sequence[str], heights: Sequence[float]) -> list[Axes]:
    """Lay out panels of different heights below each other."""
    canvas.height = sum(heights) + len(heights) * (TITLE_HEIGHT + TICKS_HEIGHT)
    grid = canvas.figure.add_gridspec(len(heights), 1, height_ratios=heights)
    axes = [canvas.figure.add_subplot(grid[place, 0]) for place in range(len(heights))]
    for panel, title in zip(axes, titles, strict=True):
        panel.set_title(title, y=1.0)
        panel.grid(axis="y", color=GRID, linewidth=0.6)
    return axes


def _legend(canvas: Canvas, axes: Axes, entries: Sequence[tuple[Any, str]]) -> None:
    """Give a panel a legend of its own, to its right or, in one column, below it."""
    artists, labels = zip(*entries, strict=True)
    if canvas.narrow:
        place = {"loc": "upper right", "bbox_to_anchor": (1.0, 0.0), "ncols": 2, "borderaxespad": 3.6}
        canvas.height += 0.14 * (len(entries) + 1) // 2
    else:
        place = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
    axes.legend(artists, labels, handlelength=1.2, **place)
