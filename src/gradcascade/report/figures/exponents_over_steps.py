"""The fitted exponents along training."""

from typing import Any

import polars as pl

from gradcascade.fields.kinds import field_plural
from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.marks import draw_band, draw_line, show_all
from gradcascade.report.drawing.quantities import (
    AXES,
    NULL_STYLE,
    QUANTITIES,
    field_style,
    group_labels,
    quantity_rows,
)
from gradcascade.report.drawing.style import DOTTED, GREY, plain
from gradcascade.scaling.smoothing import with_median

PARTS = ("value", "low", "high")
SMOOTH: dict[str, Any] = {"linestyle": DOTTED, "linewidth": 1.0, "marker": "s", "markersize": 2.6, "mfc": "white"}
"""Look of z by extinction times, which are not rounded."""


class ExponentsOverSteps(ReportFigure):
    """D - 1, z and delta against step with 95 % intervals, real and null; z also by extinction times.

    Columns: family, field, variant, quantity ("D - 1", "z", "delta"), duration ("n_steps", "continuous"), step,
    value, low, high (null where no exponent could be fitted, and low, high for extinction times), se, n_scales, and
    median (11-step rolling median; null where none is drawn).
    """

    name = "exponents"
    title = "Exponents along training"
    order = 30
    needs = ("value", "No exponent could be fitted for the fields drawn here.")

    def _frame(self) -> pl.DataFrame:
        keys = ["family", "field", "variant", "quantity", "duration"]
        fits = self.data.fits.filter(pl.col("variant").is_in(self._drawn)).with_columns(duration=pl.lit("n_steps"))
        if "activity" in self.data.cascades.columns:
            smooth = self.data.points.continuous.fits.filter(pl.col("variant") == "real", pl.col("exponent") == "z")
            none = pl.lit(None, pl.Float64)
            fits = pl.concat([fits, smooth.with_columns(low=none, high=none, duration=pl.lit("continuous"))])
        rows = quantity_rows(fits).sort(*keys, "step")
        rows = rows.select(*keys, "step", "value", "se", "low", "high", "n_scales")
        return with_median(rows, keys, "value")

    def _table(self) -> pl.DataFrame:
        keys = ["family", "field", "variant", "duration", "step", "n_scales"]
        wide = self.frame().pivot("quantity", index=keys, values=PARTS).sort(keys[:5])
        names = {f"{part}_{q}": q if part == "value" else f"{q} {part}" for q in QUANTITIES for part in PARTS}
        known = {old: new for old, new in names.items() if old in wide.columns}
        return wide.select(*keys, *known).rename(known)

    def _draw(self, canvas: Canvas) -> None:
        data, frame = self.data, self.frame()
        panels = canvas.panels(group_labels(data), rows=len(QUANTITIES))
        for row, quantity in zip(panels, QUANTITIES, strict=True):
            everything = frame.filter(pl.col("quantity") == quantity)
            for axes, group, rows in self._panels(canvas, row, everything, window=True, zero=True):
                for variant in reversed(self._drawn):
                    style = field_style(group[1]) if variant == "real" else NULL_STYLE
                    line = rows.filter(pl.col("variant") == variant, pl.col("duration") == "n_steps")
                    draw_band(axes, line, "step", style)
                    draw_line(axes, line, "step", "value", style)
                smooth = rows.filter(pl.col("duration") == "continuous")
                draw_line(axes, smooth, "step", "value", field_style(group[1]) | SMOOTH)
            show_all(row[0], everything)
        canvas.counted(panels[-1], self.data.step_label)
        canvas.label_rows(panels, [AXES[quantity] for quantity in QUANTITIES])
        for _, field in data.groups if "real" in self._drawn else []:
            canvas.key(f"real {plain(field_plural(field))}, 95 % band", **field_style(field))
        if "continuous" in set(frame["duration"]):
            canvas.key("z by extinction time", color=GREY, **SMOOTH)
        if data.baseline:
            canvas.key(f"{plain(data.baseline)} null, 95 % band", **NULL_STYLE)
