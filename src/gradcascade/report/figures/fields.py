"""The two kinds of field of the same runs: gradients against updates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from gradcascade.report.figures.axes import log_both
from gradcascade.report.figures.base import ReportFigure
from gradcascade.report.figures.canvas import Canvas
from gradcascade.report.figures.marks import column, draw_dots, draw_intervals, show_all
from gradcascade.report.figures.quantities import QUANTITIES, SYMBOLS, quantity_rows, scale_label
from gradcascade.report.figures.style import BLUE, GREY, GRID, GUIDE, INK, RULE, VERMILION, plain, scale_styles
from gradcascade.scaling.comparison import compare_studies
from gradcascade.scaling.window_means import window_differences, window_intervals

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIELDS = ("gradient", "update")
DIFFERENCE = "gradient - update"
SERIES = {
    "gradient": {"color": BLUE, "marker": "o"},
    "update": {"color": VERMILION, "marker": "s"},
    DIFFERENCE: {"color": INK, "marker": "D"},
}


class GradientAgainstUpdate(ReportFigure):
    """Durations and v_rel of gradients against those of updates, and the exponents of both with their difference.

    Columns: family, quantity. Rows with a step are pairs of cascades (quantity "duration" or "v_rel"): scale, n,
    step, gradient, update; replicates are averaged. Rows without are exponents over the steps that both windows hold
    (quantity "D - 1", "z", "delta"): series ("gradient", "update", "gradient - update"), value, its 95 % interval
    across scales low, high, and method: "paired" if the differences were taken scale by scale before fitting, which
    needs fields of one size, else "independent" (Welch).
    """

    name = "gradient-update"
    title = "Gradients against updates"

    def _frame(self) -> pl.DataFrame:
        parts = [part for family in self._families for part in (self._pairs(family), self._exponents(family))]
        schema = {"family": pl.String, "quantity": pl.String, "scale": pl.String, "n": pl.Int64, "step": pl.Int64}
        schema |= {"gradient": pl.Float64, "update": pl.Float64, "series": pl.String}
        empty = pl.DataFrame(
            schema=schema | dict.fromkeys(("value", "low", "high"), pl.Float64) | {"method": pl.String}
        )
        return pl.concat([empty, *parts], how="diagonal")

    @property
    def _families(self) -> list[str]:
        return [name for name in self.data.families if all((name, field) in self.data.windows for field in FIELDS)]

    def _caption(self) -> str:
        return (
            "The same runs seen through their gradients and through their updates. Left: duration and v_rel of every "
            "scale and step, on the diagonal where both agree. Right: the exponents over the steps that both windows "
            "hold with 95 % intervals across scales, and their difference."
        )

    def _missing(self) -> str | None:
        if not self._families:
            return "No family has both gradients and updates, so there is nothing to set against each other."
        if self.frame().is_empty():
            return "At no scale and step were both a gradient and an update measured that enter the fits."
        return None

    def _pairs(self, family: str) -> pl.DataFrame:
        real = pl.col("included") & (pl.col("variant") == "real") & (pl.col("family") == family)
        keys = ["family", "scale", "step"]
        kept = self.data.channels.filter(real).with_columns(pl.col("duration").cast(pl.Float64))
        long = kept.unpivot(["duration", "v_rel"], index=[*keys, "n", "field"], variable_name="quantity")
        means = long.group_by(*keys, "field", "quantity").agg(pl.col("n").max(), pl.col("value").log().mean().exp())
        one, other = (means.filter(pl.col("field") == field).drop("field") for field in FIELDS)
        both = one.rename({"value": "gradient"}).join(
            other.select(*keys, "quantity", update="value"), on=[*keys, "quantity"]
        )
        return both.select("family", "quantity", "scale", "n", "step", "gradient", "update").sort(
            "quantity", "n", "scale", "step"
        )

    def _exponents(self, family: str) -> pl.DataFrame:
        spans = [self.data.windows[family, field] for field in FIELDS]
        first, last = max(span[0] for span in spans), min(span[1] for span in spans)
        real = (pl.col("variant") == "real") & (pl.col("family") == family) & pl.col("field").is_in(FIELDS)
        table = self.data.cascades.filter(real, pl.col("step").is_between(first, last))
        if set(table["field"]) != set(FIELDS):
            return pl.DataFrame()
        paired = table.group_by("scale").agg(sizes=pl.col("n").n_unique())["sizes"].max() == 1
        rows = (_paired if paired else _independent)(table, (first, last))
        rows = quantity_rows(rows.drop_nulls("value"))
        # What is set against one (D) is not so for a difference of two.
        shift = (pl.col("quantity") == "D - 1") & (pl.col("series") == DIFFERENCE)
        back = [
            pl.when(shift).then(pl.col(name) + 1).otherwise(name).alias(name) for name in ("value", "low", "high")
        ]
        method = pl.lit("paired" if paired else "independent")
        return rows.with_columns(*back, method=method, family=pl.lit(family)).select(
            "family", "quantity", "series", "value", "low", "high", "method"
        )

    def _draw(self, canvas: Canvas) -> None:
        frame = self.frame()
        families = [name for name in self._families if name in set(frame["family"])]
        titles = ["duration", r"$v_\mathrm{rel}$", "exponents"] * len(families)
        across, tall = (2, 1.6) if canvas.narrow else (3, 1.9)
        panels = canvas.panels(titles, sharey=False, per_row=across, height=tall, last_wide=True)
        for place, family in enumerate(families):
            rows = frame.filter(pl.col("family") == family)
            for axes, quantity in zip(panels[0, 3 * place :], ("duration", "v_rel"), strict=False):
                self._draw_pairs(canvas, axes, family, rows.filter(pl.col("quantity") == quantity))
            self._draw_exponents(canvas, panels[0, 3 * place + 2], rows.filter(pl.col("step").is_null()))
            if len(self.data.families) > 1:
                panels[0, 3 * place].set_title(f"{plain(family, 18)}: duration", y=1.0)

    def _draw_pairs(self, canvas: Canvas, axes: Axes, family: str, rows: pl.DataFrame) -> None:
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
        log_both(axes)
        axes.grid(axis="x", color=GRID, linewidth=0.6)
        axes.set_xlabel("of the gradient")
        axes.set_ylabel("of the update")

    def _draw_exponents(self, canvas: Canvas, axes: Axes, rows: pl.DataFrame) -> None:
        canvas.zero(axes)
        quantities = list(QUANTITIES)
        for offset, (series, style) in zip((-0.2, 0.0, 0.2), SERIES.items(), strict=True):
            one = rows.filter(pl.col("series") == series)
            x = np.array([quantities.index(name) + offset for name in one["quantity"]])
            draw_intervals(axes, x, one, style)
            if one.height:
                canvas.key(f"{series}s" if series in FIELDS else "gradient \N{MINUS SIGN} update",
                           **style | {"linestyle": "none"})  # fmt: skip
        axes.set_xticks(range(len(quantities)), [SYMBOLS[name] for name in quantities])
        axes.set_xlim(-0.5, len(quantities) - 0.5)
        if rows.is_empty():
            why = "no exponents:\nfewer than three scales"
            axes.text(0.5, 0.75, why, transform=axes.transAxes, ha="center", va="center", color=GREY)
        show_all(axes, rows)


def _paired(table: pl.DataFrame, window: tuple[int, int]) -> pl.DataFrame:
    """Exponents of both fields and of their differences, taken scale by scale and step by step."""
    both = table.with_columns(variant=pl.col("field"), field=pl.lit("both"))
    kept = ["exponent", "series", "value", "low", "high"]
    names = {"scales_value": "value", "scales_low": "low", "scales_high": "high"}
    single = window_intervals(both, window, along=False).rename(names | {"variant": "series"})
    gap = window_differences(both, window, parts={DIFFERENCE: FIELDS}, along=False)
    return pl.concat([single.select(kept), gap.rename(names | {"difference": "series"}).select(kept)])


def _independent(table: pl.DataFrame, window: tuple[int, int]) -> pl.DataFrame:
    """The same for fields of different sizes, whose logarithms cannot be subtracted scale by scale."""
    gradient, update = (table.filter(pl.col("field") == field).with_columns(field=pl.lit("both")) for field in FIELDS)
    found = compare_studies(gradient, update, window, window)
    parts = [
        found.select("exponent", series=pl.lit(field), value=f"value_{side}", low=f"low_{side}", high=f"high_{side}")
        for side, field in zip("ab", FIELDS, strict=True)
    ]
    # compare_studies subtracts the first from the second.
    gap = found.select("exponent", series=pl.lit(DIFFERENCE), value=-pl.col("difference"), low=-pl.col("high"),
                       high=-pl.col("low"))  # fmt: skip
    return pl.concat([*parts, gap])
