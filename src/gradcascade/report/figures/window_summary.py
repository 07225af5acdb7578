"""The summary over the window: every exponent, and whether the four close."""

from typing import Any

import numpy as np
import polars as pl

from gradcascade.report.data import Group
from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.marks import column, draw_dots
from gradcascade.report.drawing.quantities import NULL_STYLE, field_style, group_label
from gradcascade.report.drawing.style import GREY, GUIDE, RULE, plain
from gradcascade.report.page_tables import MINUS
from gradcascade.scaling.closure import CLOSURE, summarise_closure
from gradcascade.vocabulary import EXPONENTS, SYMBOLS

KEYS = ("family", "field", "variant")
HOLLOW: dict[str, Any] = {"marker": "D", "markerfacecolor": "none", "markersize": 7.0, "linestyle": "none"}


class WindowSummary(ReportFigure):
    """Mean and SD of D, z, beta and delta over the window, and beside beta and delta what D and z say of them.

    Columns: family, field, variant, quantity ("D", "z", "beta", "delta", "D - z", "D - z - 1"), mean and sd over the
    steps of the window (sd null for one step and for the last two quantities, which are drawn without), n_steps.
    """

    name = "window"
    title = "Exponents over the window"
    order = 20
    needs = ("mean", "No step of the window has exponents.")

    def _frame(self) -> pl.DataFrame:
        drawn = pl.col("variant").is_in(self._drawn)
        known = self.data.summary.filter(drawn, pl.col("n_steps") > 0)
        fitted = known.select(*KEYS, pl.col("exponent").alias("quantity"), "mean", "sd", "n_steps")
        closed = summarise_closure(self.data.fits.filter(drawn), self.data.windows)
        rows = pl.concat([fitted, closed.with_columns(sd=pl.lit(None, pl.Float64)).select(fitted.columns)])
        return rows.sort("family", "field", pl.col("variant") != "real", "variant", "quantity")

    def _table(self) -> pl.DataFrame:
        return self._wide(KEYS, "quantity", "mean", ["D", "z", "beta", "D - z", "delta", "D - z - 1"])

    def _draw(self, canvas: Canvas) -> None:
        data, frame = self.data, self.frame()
        places = {key: -float(i) for i, key in enumerate((*g, v) for g in data.groups for v in self._drawn)}
        tall = 0.3 + 0.19 * len(places)
        panels = canvas.panels([SYMBOLS[name] for name in EXPONENTS], height=tall, per_row=2 if canvas.narrow else 4)
        for axes, exponent in zip(panels[0], EXPONENTS, strict=True):
            axes.axvline(float(EXPONENTS[exponent].neutral), color=RULE, linewidth=0.8, label=GUIDE)
            for key, place in places.items():
                rows = frame.filter(pl.col(name) == part for name, part in zip(KEYS, key, strict=True))
                style = field_style(key[1]) if key[2] == "real" else NULL_STYLE | {"marker": "x"}
                fitted = rows.filter(pl.col("quantity") == exponent)
                closed = rows.filter(pl.col("quantity") == CLOSURE.get(exponent, ""))
                height = np.array([place] * fitted.height)
                draw_dots(axes, column(fitted, "mean"), height, style, column(fitted, "sd"), level=True)
                if closed.height:
                    draw_dots(axes, column(closed, "mean"), height, HOLLOW | {"color": style["color"]})
            axes.grid(visible=False, axis="y")
            axes.set_ylim(min(places.values()) - 0.7, 0.7)
            axes.locator_params(axis="x", nbins=3)
        names = [self._row_name((family, field), variant) for family, field, variant in places]
        for axes in panels[0]:
            axes.set_yticks(list(places.values()), names)
        canvas.key("fitted: mean ± SD", color=GREY, marker="o")
        canvas.key(f"from D and z: D {MINUS} z, D {MINUS} z {MINUS} 1", **HOLLOW, color=GREY)

    def _row_name(self, group: Group, variant: str) -> str:
        if variant == "real":
            return group_label(self.data, group)
        return plain(variant) if "real" in self._drawn else f"{group_label(self.data, group)}, {plain(variant)}"
