"""The difference to the null, split into what the distribution and what the places of the values do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from gradcascade.report.data import of_group
from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.marks import column, draw_line
from gradcascade.report.drawing.quantities import PART_LABELS, PART_STYLES, group_labels
from gradcascade.scaling.decomposition import null_parts
from gradcascade.scaling.smoothing import with_median
from gradcascade.vocabulary import SHOWN_EXPONENTS, SYMBOLS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROWS = {name: f"Δ{SYMBOLS[name]}" for name in SHOWN_EXPONENTS}
HATCHES = {"total": "", "dist": "//////", "assign": "xxxx"}


class NullDecomposition(ReportFigure):
    """Total, distribution and assignment part of each exponent's difference to the null.

    Columns: family, field, exponent, part, step, value, sd, median. Rows with a null step are the window's mean with
    its SD; all others are single steps, with the 11-step rolling median where one is drawn.
    """

    name = "nulls"
    title = "What the nulls explain"
    order = 80

    def _frame(self) -> pl.DataFrame:
        keys = ["family", "field", "exponent", "part"]
        shown = pl.col("exponent").is_in(list(ROWS))
        steps = with_median(null_parts(self.data.decomposition.filter(shown)).sort(*keys, "step"), keys, "value")
        both = pl.concat([steps, self.data.null_parts.filter(shown)], how="diagonal")
        return both.select(*keys, "step", "value", "sd", "median").sort(*keys, "step", nulls_last=True)

    def _table(self) -> pl.DataFrame:
        keys = ["family", "field", "exponent", "step"]
        return self._wide(keys, "part", "value", list(PART_STYLES)).filter(pl.col("step").is_not_null())

    def _missing(self) -> str | None:
        if self.frame()["value"].is_not_null().any():
            return None
        if self.data.fits["value"].is_null().all():
            return "There is no exponent to compare with a null."
        absent = [name for name in ("real", "N0") if name not in self.data.variants]
        if absent:
            names = " and ".join("real" if name == "real" else f"{name} null" for name in absent)
            return f"No {names} fields were measured, so there is no difference to split."
        return "At no step do the real fields and their nulls both have exponents."

    def _draw(self, canvas: Canvas) -> None:
        frame = self.frame()
        panels = canvas.panels([*group_labels(self.data), "window mean ± SD"], rows=len(ROWS), last_wide=True)
        for row, exponent in zip(panels, ROWS, strict=True):
            everything = frame.filter(pl.col("exponent") == exponent)
            steps = everything.filter(pl.col("step").is_not_null())
            for axes, _, rows in self._panels(canvas, row[:-1], steps, window=True, zero=True):
                for part, style in PART_STYLES.items():
                    draw_line(axes, rows.filter(pl.col("part") == part), "step", "value", style)
            self._draw_bars(canvas, row[-1], everything.filter(pl.col("step").is_null()))
        canvas.counted(panels[-1, :-1], self.data.step_label)
        canvas.label_rows(panels, list(ROWS.values()))
        present = set(frame.drop_nulls("value")["part"])
        for part, style in PART_STYLES.items():
            if part in present:
                canvas.key(PART_LABELS[part], **style)

    def _draw_bars(self, canvas: Canvas, axes: Axes, rows: pl.DataFrame) -> None:
        canvas.zero(axes)
        groups = self.data.groups
        for j, (part, style) in enumerate(PART_STYLES.items()):
            bars = [of_group(rows, group).filter(pl.col("part") == part) for group in groups]
            place = np.array([i + (j - 1) * 0.27 for i, bar in enumerate(bars) if bar["value"].is_not_null().any()])
            known = pl.concat([rows.clear(), *bars]).drop_nulls("value")
            height, sd = column(known, "value"), column(known, "sd")
            face = style["color"] if part == "total" else "white"
            look = {"facecolor": face, "edgecolor": style["color"], "hatch": HATCHES[part], "linewidth": 0.8}
            axes.bar(place, height, width=0.25, **look)
            there = np.isfinite(sd)
            ends = place[there], (height - sd)[there], (height + sd)[there]
            axes.vlines(*ends, color="#5b6573", linewidth=1.0)
        names = [label.replace(": ", ":\n") for label in group_labels(self.data)]
        axes.set_xticks(np.arange(len(groups)), names)
        axes.set_xlim(-0.6, len(groups) - 0.4)
