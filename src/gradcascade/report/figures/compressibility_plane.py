"""Compressibility of durations against that of transport."""

import polars as pl

from gradcascade.fields.kinds import field_plural
from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.marks import column, draw_dots
from gradcascade.report.drawing.quantities import NULL_STYLE, field_style, group_labels
from gradcascade.report.drawing.style import GRID, plain


class CompressibilityPlane(ReportFigure):
    """R2_z against R2_delta, one point per step of the window.

    Columns: family, field, variant, step, R2_z, R2_delta; steps of the window where both are defined.
    """

    name = "compressibility-plane"
    title = "Compressibility of durations and of transport"
    order = 60
    needs = ("R2_z", "No step of the window has both R² defined.")

    def _frame(self) -> pl.DataFrame:
        keys = ["family", "field", "variant", "step"]
        fits = self.data.fits.filter(pl.col("variant").is_in(self._drawn))
        z, delta = (
            fits.filter(pl.col("exponent") == name).select(*keys, pl.col("r2").alias(f"R2_{name}"))
            for name in ("z", "delta")
        )
        table = z.join(delta, on=keys).drop_nulls()
        return self._in_windows(table).sort(keys)

    def _draw(self, canvas: Canvas) -> None:
        data = self.data
        panels = canvas.panels(group_labels(data), height=2.4)
        for axes, group, rows in self._panels(canvas, panels[0], self.frame()):
            for variant in reversed(self._drawn):
                points = rows.filter(pl.col("variant") == variant)
                style = field_style(group[1]) | {"mec": "white", "mew": 0.4, "ms": 5.0}
                cross = NULL_STYLE | {"marker": "x", "ms": 4.2}
                look = style if variant == "real" else cross
                draw_dots(axes, column(points, "R2_z"), column(points, "R2_delta"), look)
            axes.set_xlim(-0.03, 1.03)
            axes.set_ylim(-0.03, 1.03)
            axes.grid(axis="x", color=GRID, linewidth=0.6)
            axes.set_xlabel("R² of the duration fit (z)")
        canvas.label_rows(panels, [r"R² of the $v_\mathrm{rel}$ fit (δ)"])
        for _, field in data.groups if "real" in self._drawn else []:
            canvas.key(f"real {plain(field_plural(field))}", **field_style(field) | {"linestyle": "none"})
        if data.baseline:
            canvas.key(f"{plain(data.baseline)} null", **NULL_STYLE | {"marker": "x", "linestyle": "none"})
