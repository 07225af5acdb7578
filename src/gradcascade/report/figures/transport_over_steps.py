"""The measured efficiency v_rel along training."""

import polars as pl

from gradcascade.report import words
from gradcascade.report.drawing.axes import log_steps, plain_log_ticks
from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.quantities import group_labels, scale_lines
from gradcascade.scaling.smoothing import MEDIAN_STEPS, with_median


class TransportOverSteps(ReportFigure):
    """v_rel against step for every scale and field; the null faint.

    Columns: family, field, variant, scale, n, step, v_rel (null where excluded), median (11-step rolling median of
    the real fields; null where none is drawn).
    """

    name = "transport"
    title = "Transport efficiency along training"
    order = 10

    def _frame(self) -> pl.DataFrame:
        keys = ["family", "field", "variant", "scale", "n", "step"]
        drawn = self.data.channels.filter(pl.col("variant").is_in(self._drawn)).select(keys).unique()
        rows = drawn.join(self.data.means.select(*keys, "v_rel"), on=keys, how="left").sort(keys)
        real = pl.col("variant") == "real"
        return with_median(rows, keys[:-1], "v_rel").with_columns(median=pl.when(real).then("median"))

    def _table(self) -> pl.DataFrame:
        return self._wide(["family", "field", "variant", "step"], "scale", "v_rel", self.data.scales())

    def _caption(self) -> str:
        smooth = MEDIAN_STEPS if self.frame()["median"].is_not_null().any() else None
        return words.caption(self.name, null=self.data.baseline, smooth=smooth)

    def _missing(self) -> str | None:
        if self.data.means.is_empty():
            return "No cascade is left to draw: all were excluded (the reasons are listed below)."
        return None

    def _draw(self, canvas: Canvas) -> None:
        panels = canvas.panels(group_labels(self.data))
        for axes, group, rows in self._panels(canvas, panels[0], self.frame(), window=True):
            log_steps(axes, rows["step"].to_list(), self.data.step_label)
            scale_lines(canvas, axes, self.data, group[0], rows, "step", "v_rel")
        plain_log_ticks(panels[0, 0])
        canvas.label_rows(panels, ["$v_\\mathrm{rel}$\n(share of entries per step)"])
