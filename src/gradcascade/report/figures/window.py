"""The summary over the window: every exponent, and whether the four close."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from gradcascade import vocabulary
from gradcascade.report.data import Group
from gradcascade.report.figures.base import ReportFigure
from gradcascade.report.figures.canvas import Canvas
from gradcascade.report.figures.marks import column, draw_dots
from gradcascade.report.figures.quantities import NULL_STYLE, field_style, group_label, no_exponents
from gradcascade.report.figures.style import GREY, GUIDE, RULE, plain
from gradcascade.report.tables import MINUS
from gradcascade.scaling.exponents import EXPONENTS
from gradcascade.scaling.tables import FIT_KEYS, spread
from gradcascade.vocabulary import SYMBOLS

CLOSURE = {"beta": "D - z", "delta": "D - z - 1"}
KEYS = ("family", "field", "variant")
HOLLOW: dict[str, Any] = {"marker": "D", "markerfacecolor": "none", "markersize": 7.0, "linestyle": "none"}


class WindowSummary(ReportFigure):
    """Mean and SD of D, z, beta and delta over the window, and beside beta and delta what D and z say of them.

    Columns: family, field, variant, quantity ("D", "z", "beta", "delta", "D - z", "D - z - 1"), mean and sd over the
    steps of the window (sd null for one step and for the last two quantities, which are drawn without), n_steps.
    """

    name = "window"
    title = "Exponents over the window"

    def _frame(self) -> pl.DataFrame:
        keys = ["family", "field", "variant"]
        fits = self.data.fits.filter(pl.col("variant").is_in(self._drawn))
        known = self.data.summary.filter(pl.col("variant").is_in(self._drawn), pl.col("n_steps") > 0)
        fitted = known.select(*keys, pl.col("exponent").alias("quantity"), "mean", "sd", "n_steps")
        D, z = pl.col("D"), pl.col("z")
        closed = (
            spread(fits, FIT_KEYS, "exponent", EXPONENTS, "value")
            .with_columns((D - z).alias("D - z"), (D - z - 1).alias("D - z - 1"))
            .unpivot(list(CLOSURE.values()), index=list(FIT_KEYS), variable_name="quantity")
            .drop_nulls("value")
        )
        inside = [
            (pl.col("family") == family) & (pl.col("field") == field) & pl.col("step").is_between(*ends)
            for (family, field), ends in self.data.windows.items()
        ]
        means = closed.filter(pl.any_horizontal(inside or [pl.lit(False)])).group_by(*keys, "quantity")
        means = means.agg(mean=pl.col("value").mean(), sd=pl.lit(None, pl.Float64), n_steps=pl.len().cast(pl.Int64))
        rows = pl.concat([fitted, means.select(fitted.columns)])
        return rows.sort("family", "field", pl.col("variant") != "real", "variant", "quantity")

    def table(self) -> pl.DataFrame:
        """Arrange the means with one column per quantity."""
        order = ["D", "z", "beta", "D - z", "delta", "D - z - 1"]
        return self._wide(["family", "field", "variant"], "quantity", "mean", order)

    def _caption(self) -> str:
        null = f"; grey: the {self.data.baseline} null" if self.data.baseline else ""
        return (
            "Mean and SD of each exponent over the steps of the window (a spread along training, not a standard "
            f"error){null}. Hollow diamonds: D {MINUS} z beside β, and D {MINUS} z {MINUS} 1 beside δ. They agree "
            "exactly when the same scales enter every fit, so they check the arithmetic, not nature."
        )

    def _missing(self) -> str | None:
        if not self.frame().is_empty():
            return None
        return no_exponents(self.data) or "No step of the window has exponents."

    def _draw(self, canvas: Canvas) -> None:
        data, frame = self.data, self.frame()
        places = {key: -float(i) for i, key in enumerate((*g, v) for g in data.groups for v in self._drawn)}
        tall = 0.3 + 0.19 * len(places)
        panels = canvas.panels([SYMBOLS[name] for name in EXPONENTS], height=tall, per_row=2 if canvas.narrow else 4)
        for axes, exponent in zip(panels[0], EXPONENTS, strict=True):
            axes.axvline(float(vocabulary.EXPONENTS[exponent].neutral), color=RULE, linewidth=0.8, label=GUIDE)
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
