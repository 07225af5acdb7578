"""Compressibility along training: how well one power law summarises the scales."""

import polars as pl

from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.marks import draw_line
from gradcascade.report.drawing.quantities import CHANNEL_LABELS, CHANNEL_STYLES, NULL_STYLE, group_labels
from gradcascade.report.drawing.style import plain
from gradcascade.scaling.smoothing import with_median


class CompressibilityOverSteps(ReportFigure):
    """R2 of the one-slope fits against step.

    Columns: family, field, variant, exponent, step, r2 (null where undefined), median (11-step rolling median; null
    where none is drawn); the real fields, and the duration of the null.
    """

    name = "compressibility"
    title = "Compressibility along training"
    order = 40
    needs = ("r2", "No R² is defined for the fields drawn here.")

    def _frame(self) -> pl.DataFrame:
        real = (pl.col("variant") == "real") & pl.col("exponent").is_in(list(CHANNEL_STYLES))
        null = (pl.col("variant") == self.data.baseline) & (pl.col("exponent") == "z")
        keys = ["family", "field", "variant", "exponent"]
        rows = self.data.fits.filter(real | null).select(*keys, "step", "r2").sort(*keys, "step")
        return with_median(rows, keys, "r2")

    def _table(self) -> pl.DataFrame:
        return self._wide(["family", "field", "variant", "step"], "exponent", "r2", list(CHANNEL_STYLES))

    def _draw(self, canvas: Canvas) -> None:
        data = self.data
        panels = canvas.panels(group_labels(data))
        for axes, _, rows in self._panels(canvas, panels[0], self.frame(), window=True):
            draw_line(axes, rows.filter(pl.col("variant") != "real"), "step", "r2", NULL_STYLE)
            for exponent, style in CHANNEL_STYLES.items():
                real = rows.filter(pl.col("variant") == "real", pl.col("exponent") == exponent)
                draw_line(axes, real, "step", "r2", style)
            axes.set_ylim(-0.02, 1.04)
        canvas.counted(panels[0], self.data.step_label)
        canvas.label_rows(panels, ["R² of the fit over scales"])
        for name, style in CHANNEL_STYLES.items() if "real" in data.variants else []:
            canvas.key(CHANNEL_LABELS[name], **style)
        if data.baseline:
            canvas.key(f"duration of {plain(data.baseline)}", **NULL_STYLE)
