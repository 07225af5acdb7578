"""How S of the whole profiles relates to R2 of the durations, each beside what noise gives."""

from __future__ import annotations

import polars as pl

from gradcascade.fields.kinds import field_plural
from gradcascade.report.drawing.axes import plain_log_ticks
from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.marks import column, draw_dots
from gradcascade.report.drawing.quantities import NO_ACTIVITY, NULL_STYLE, field_style, group_labels
from gradcascade.report.drawing.style import GRID, GUIDE, RULE, plain

STEP = ["family", "field", "variant", "step"]


class CollapsePlane(ReportFigure):
    """R2 of z by n_steps against S of the profiles, one point per step of the window.

    Columns: family, field, variant, step, R2_z, quality (S of one power of N), shape_quality (S with each scale
    stretched freely), R2_high and quality_high (what 95 % of noise stays below: R2 of a line without a slope, S of
    N0 over the window's steps; null without N0).
    """

    name = "collapse-plane"
    title = "Quality of the collapse and R² of the durations"
    order = 65
    needs = ("quality", "No step of the window has both R² of z and a collapse of the profiles.")

    def _frame(self) -> pl.DataFrame:
        r2 = self.data.fits.filter(pl.col("exponent") == "z", pl.col("variant").is_in(self._drawn))
        r2 = r2.select(*STEP, R2_z="r2")
        if "collapse" not in self.data.answers:
            names = ("quality", "shape_quality", "R2_high", "quality_high")
            return r2.clear().with_columns(pl.lit(None, pl.Float64).alias(name) for name in names)
        form = pl.col("form") == "duration"
        found = self.data.answers["collapse"].filter(form).select(*STEP, "quality", "shape_quality")
        known = self.data.answers["window_collapse"].filter(form)
        known = known.select(*STEP[:3], "quality_high", R2_high="r2_high")
        rows = r2.join(found, on=STEP).drop_nulls().join(known, on=STEP[:3], how="left")
        return (
            self._in_windows(rows)
            .select(*STEP, "R2_z", "quality", "shape_quality", "R2_high", "quality_high")
            .sort(STEP)
        )

    def _missing(self) -> str | None:
        return NO_ACTIVITY if "activity" not in self.data.cascades.columns else super()._missing()

    def _draw(self, canvas: Canvas) -> None:
        data = self.data
        panels = canvas.panels(group_labels(data), height=2.3)
        for axes, group, rows in self._panels(canvas, panels[0], self.frame()):
            for variant in reversed(self._drawn):
                points = rows.filter(pl.col("variant") == variant)
                look = field_style(group[1]) if variant == "real" else NULL_STYLE | {"marker": "o"}
                hollow = {"markerfacecolor": "none", "mew": 0.8}
                for name, style in (("shape_quality", hollow), ("quality", {"mec": "white", "mew": 0.4})):
                    draw_dots(axes, column(points, "R2_z"), column(points, name), look | style | {"ms": 4.5})
            for name, line in (("R2_high", axes.axvline), ("quality_high", axes.axhline)):
                if (height := rows[name].drop_nulls()).len():
                    line(height[0], color=RULE, linewidth=0.8, linestyle=(0, (4, 2)), label=GUIDE)
            axes.set_xlim(-0.03, 1.03)
            axes.grid(axis="x", color=GRID, linewidth=0.6)
            axes.set_xlabel("R² of the duration fit (z)")
        plain_log_ticks(panels[0, 0])
        canvas.label_rows(panels, ["S of the profiles"])
        for _, field in data.groups if "real" in self._drawn else []:
            named = plain(field_plural(field))
            style = field_style(field) | {"linestyle": "none"}
            canvas.key(f"{named}, one power of N", **style)
            canvas.key(f"{named}, shape alone", **style | {"markerfacecolor": "none"})
        if data.baseline:
            canvas.key(f"{plain(data.baseline)} null", **NULL_STYLE | {"marker": "o", "linestyle": "none"})
