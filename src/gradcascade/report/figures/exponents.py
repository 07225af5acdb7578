"""The fitted exponents along training."""

from __future__ import annotations

import polars as pl

from gradcascade.report.data import of_group
from gradcascade.report.figures.base import ReportFigure
from gradcascade.report.figures.canvas import Canvas
from gradcascade.report.figures.marks import draw_band, draw_line, show_all
from gradcascade.report.figures.quantities import (
    AXES,
    NULL_STYLE,
    QUANTITIES,
    field_style,
    group_labels,
    no_exponents,
    quantity_rows,
    with_median,
)
from gradcascade.report.figures.style import plain


class ExponentsOverSteps(ReportFigure):
    """D - 1, z and delta against step with 95 % intervals, real and null.

    Columns: family, field, variant, quantity ("D - 1", "z", "delta"), step, value, low, high (null where no exponent
    could be fitted), se, n_scales, and median (11-step rolling median; null where none is drawn).
    """

    name = "exponents"
    title = "Exponents along training"

    def _frame(self) -> pl.DataFrame:
        keys = ["family", "field", "variant", "quantity"]
        rows = quantity_rows(self.data.fits.filter(pl.col("variant").is_in(self._drawn))).sort(*keys, "step")
        rows = rows.select(*keys, "step", "value", "se", "low", "high", "n_scales")
        return with_median(rows, keys, "value")

    def table(self) -> pl.DataFrame:
        """Arrange values and intervals with one column per quantity."""
        keys = ["family", "field", "variant", "step", "n_scales"]
        wide = self.frame().pivot("quantity", index=keys, values=["value", "low", "high"]).sort(keys[:4])
        names = {f"{part}_{q}": q if part == "value" else f"{q} {part}" for q in QUANTITIES
                 for part in ("value", "low", "high")}  # fmt: skip
        known = {old: new for old, new in names.items() if old in wide.columns}
        return wide.select(*keys, *known).rename(known)

    def _caption(self) -> str:
        null = f", and the {self.data.baseline} null dashed with its own band" if self.data.baseline else ""
        return (
            "Slopes of the logarithm of size (minus one), duration and v_rel against log N, fitted at each step over "
            f"the scales, with 95 % t intervals as bands{null}. With few scales an interval is wide, and the "
            "widest are cut at the panel's edge. The horizontal line is zero: no dependence on scale."
        )

    def _missing(self) -> str | None:
        if self.frame()["value"].is_not_null().any():
            return None
        return no_exponents(self.data) or "No exponent could be fitted for the fields drawn here."

    def _draw(self, canvas: Canvas) -> None:
        data, frame = self.data, self.frame()
        panels = canvas.panels(group_labels(data), rows=len(QUANTITIES))
        for row, quantity in zip(panels, QUANTITIES, strict=True):
            everything = frame.filter(pl.col("quantity") == quantity)
            for axes, group in zip(row, data.groups, strict=True):
                canvas.window(axes, data.windows[group])
                canvas.zero(axes)
                rows = of_group(everything, group)
                for variant in reversed(self._drawn):
                    style = field_style(group[1]) if variant == "real" else NULL_STYLE
                    line = rows.filter(pl.col("variant") == variant)
                    draw_band(axes, line, "step", style)
                    draw_line(axes, line, "step", "value", style)
            show_all(row[0], everything)
        canvas.counted(panels[-1], "training step")
        canvas.label_rows(panels, [AXES[quantity] for quantity in QUANTITIES])
        for _, field in data.groups if "real" in self._drawn else []:
            canvas.key(f"real {plain(field)}s, 95 % band", **field_style(field))
        if data.baseline:
            canvas.key(f"{plain(data.baseline)} null, 95 % band", **NULL_STYLE)
