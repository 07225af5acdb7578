"""The two kinds of field of the same runs: gradients against updates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from gradcascade.fields.kinds import field_plural
from gradcascade.report.drawing.axes import log_both
from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.marks import column, draw_dots, draw_intervals, show_all
from gradcascade.report.drawing.quantities import QUANTITIES, SYMBOLS, V_REL, scale_label
from gradcascade.report.drawing.style import BLUE, GREY, GRID, GUIDE, INK, RULE, VERMILION, plain, scale_styles
from gradcascade.scaling.claims import sides

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIELDS = ("gradient", "update")
DIFFERENCE = "gradient - update"
# Hollow: the filled marks of the other panels are scales.
SERIES = {
    "gradient": {"color": BLUE, "marker": "o", "markerfacecolor": "white"},
    "update": {"color": VERMILION, "marker": "s", "markerfacecolor": "white"},
    DIFFERENCE: {"color": INK, "marker": "D", "markerfacecolor": "white"},
}
COLUMNS = ["family", "quantity", "scale", "n", "step", *FIELDS, "series", "value", "low", "high", "method", "claim"]


class GradientAgainstUpdate(ReportFigure):
    """Durations and v_rel of gradients against those of updates, and the exponents of both with their difference.

    Columns: family, quantity. Rows with a step are pairs of cascades (quantity "duration" or "v_rel"): scale, n (of
    the gradient), step, gradient, update; replicates are averaged. Rows without are exponents over the steps that
    both windows hold (quantity "D - 1", "z", "delta"): series ("gradient", "update", "gradient - update"), value, its
    95 % interval across scales low, high, and of the difference the method ("paired": taken scale by scale before
    fitting, which needs fields of one size; else "independent") and the claim ("above", "below", "open", "unknown").
    """

    name = "gradient-update"
    title = "Gradients against updates"
    order = 140

    def _frame(self) -> pl.DataFrame:
        numbers = {"n": pl.Int64, "step": pl.Int64} | dict.fromkeys((*FIELDS, "value", "low", "high"), pl.Float64)
        schema = {name: numbers.get(name, pl.String) for name in COLUMNS}
        parts = [self._pairs(), self._exponents()] if self._families else []
        rows = pl.concat([pl.DataFrame(schema=schema), *parts], how="diagonal")
        return rows.sort("family", pl.col("step").is_null(), maintain_order=True)

    @property
    def _families(self) -> list[str]:
        return [name for name in self.data.families if all((name, field) in self.data.windows for field in FIELDS)]

    def _missing(self) -> str | None:
        if not self._families:
            return "No family has both gradients and updates, so there is nothing to set against each other."
        if self.frame().is_empty():
            return "At no scale and step were both a gradient and an update measured that enter the fits."
        return None

    def _pairs(self) -> pl.DataFrame:
        real = self.data.means.filter(pl.col("variant") == "real", pl.col("family").is_in(self._families))
        keys = ["family", "scale", "step", "quantity"]
        long = real.unpivot(["duration", "v_rel"], index=[*keys[:3], "n", "field"], variable_name="quantity")
        one, other = (long.filter(pl.col("field") == field).rename({"value": field}) for field in FIELDS)
        both = one.join(other.select(*keys, FIELDS[1]), on=keys)
        return both.select(COLUMNS[: 5 + len(FIELDS)]).sort("family", "quantity", "n", "scale", "step")

    def _exponents(self) -> pl.DataFrame:
        known = self.data.answers["contrasts"].filter(
            pl.col("first") == FIELDS[0], pl.col("second") == FIELDS[1], pl.col("exponent").is_in(QUANTITIES.values())
        )
        names = dict(zip(SERIES, ("first", "second", "scales"), strict=True))
        rows = pl.concat(
            known.select(
                "family",
                "exponent",
                *(pl.col(f"{source}_{end}").alias(end) for end in ("value", "low", "high")),
                "method",
                series=pl.lit(series),
            )
            for series, source in names.items()
        ).drop_nulls("value")
        # An exponent D is set against one, a difference of two against zero.
        size = (pl.col("exponent") == "D") & (pl.col("series") != DIFFERENCE)
        shift = pl.when(size).then(1.0).otherwise(0.0)
        quantity = pl.col("exponent").replace({exponent: name for name, exponent in QUANTITIES.items()})
        claim = pl.when(pl.col("series") == DIFFERENCE).then(sides())
        return rows.select(
            "family", pl.col("value", "low", "high") - shift, "method", "series", quantity=quantity, claim=claim
        )

    def _draw(self, canvas: Canvas) -> None:
        frame = self.frame()
        families = [name for name in self._families if name in set(frame["family"])]
        titles = ["duration", V_REL, "exponents"] * len(families)
        across, tall = (2, 1.6) if canvas.narrow else (3, 1.9)
        panels = canvas.panels(titles, sharey=False, per_row=across, height=tall, last_wide=True)
        for place, family in enumerate(families):
            rows = frame.filter(pl.col("family") == family)
            for axes, quantity in zip(panels[0, 3 * place :], ("duration", "v_rel"), strict=False):
                self._draw_pairs(canvas, axes, family, quantity, rows.filter(pl.col("quantity") == quantity))
            self._draw_exponents(canvas, panels[0, 3 * place + 2], rows.filter(pl.col("step").is_null()))
            if len(self.data.families) > 1:
                panels[0, 3 * place].set_title(f"{plain(family, 18)}: duration", y=1.0)

    def _draw_pairs(self, canvas: Canvas, axes: Axes, family: str, quantity: str, rows: pl.DataFrame) -> None:
        for scale, style in scale_styles(self.data.scales(family)).items():
            points = rows.filter(pl.col("scale") == scale)
            if points.height:
                look = style | {"ms": 3.6 if points.height <= 40 else 2.2, "mec": "white", "mew": 0.3}
                draw_dots(axes, column(points, "gradient"), column(points, "update"), look)
                canvas.key(scale_label(self.data, family, scale), **style | {"linestyle": "none"})
        if rows.height:
            ends = rows.select("gradient", "update").to_numpy()
            low, high = ends.min(), ends.max()
            axes.plot([low / 1.1, high * 1.1], [low / 1.1, high * 1.1], color=RULE, lw=0.8, zorder=0, label=GUIDE)
            canvas.key("equal", color=RULE, linewidth=0.8)
        log_both(axes)
        axes.grid(axis="x", color=GRID, linewidth=0.6)
        unit = ", steps" if quantity == "duration" else ""
        axes.set_xlabel(f"of the gradient{unit}")
        axes.set_ylabel(f"of the update{unit}")

    def _draw_exponents(self, canvas: Canvas, axes: Axes, rows: pl.DataFrame) -> None:
        canvas.zero(axes)
        quantities = list(QUANTITIES)
        for offset, (series, style) in zip((-0.2, 0.0, 0.2), SERIES.items(), strict=True):
            one = rows.filter(pl.col("series") == series)
            x = np.array([quantities.index(name) + offset for name in one["quantity"]])
            draw_intervals(axes, x, one, style)
            if one.height:
                name = field_plural(series) if series in FIELDS else "gradient \N{MINUS SIGN} update"
                canvas.key(f"exponents: {name}", **style, linewidth=1.0)
        axes.set_xticks(range(len(quantities)), [SYMBOLS[name] for name in quantities])
        axes.set_xlim(-0.5, len(quantities) - 0.5)
        if rows.is_empty():
            why = "no exponents:\nfewer than three scales"
            axes.text(0.5, 0.75, why, transform=axes.transAxes, ha="center", va="center", color=GREY)
        show_all(axes, rows)
