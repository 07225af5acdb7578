"""The exponents of the real fields beside those of every null."""

import polars as pl

from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.marks import draw_line
from gradcascade.report.drawing.quantities import AXES, QUANTITIES, VARIANT_STYLES, group_labels, quantity_rows
from gradcascade.report.drawing.style import plain
from gradcascade.scaling.smoothing import with_median


class NullBaselines(ReportFigure):
    """D - 1, z and delta of the real fields and of every null against step.

    Columns: family, field, variant, quantity ("D - 1", "z", "delta"), step, value, median (11-step rolling median;
    null where none is drawn).
    """

    name = "null-baselines"
    title = "Null baselines"
    order = 70
    needs = ("value", "No exponent could be fitted for the fields drawn here.")

    def _frame(self) -> pl.DataFrame:
        keys = ["family", "field", "variant", "quantity"]
        fits = self.data.fits.filter(pl.col("variant").is_in(self._variants))
        rows = quantity_rows(fits).select(*keys, "step", "value").sort(*keys, "step")
        return with_median(rows, keys, "value")

    def _table(self) -> pl.DataFrame:
        return self._wide(["family", "field", "quantity", "step"], "variant", "value", self._variants)

    @property
    def _variants(self) -> list[str]:
        return self.data.variants[: len(VARIANT_STYLES) - 1]

    def _missing(self) -> str | None:
        if not self.data.baseline:
            return "No null was measured, so there is no baseline to draw."
        return super()._missing()

    def _draw(self, canvas: Canvas) -> None:
        frame = self.frame()
        styles = dict(zip(self._variants, VARIANT_STYLES["real" not in self._variants :], strict=False))
        panels = canvas.panels(group_labels(self.data), rows=len(QUANTITIES))
        for row, quantity in zip(panels, QUANTITIES, strict=True):
            shown = frame.filter(pl.col("quantity") == quantity)
            for axes, _, rows in self._panels(canvas, row, shown, window=True, zero=True):
                for variant, style in reversed(styles.items()):
                    draw_line(axes, rows.filter(pl.col("variant") == variant), "step", "value", style)
        canvas.counted(panels[-1], self.data.step_label)
        canvas.label_rows(panels, [AXES[quantity] for quantity in QUANTITIES])
        for variant, style in styles.items():
            canvas.key(plain(variant), **style)
