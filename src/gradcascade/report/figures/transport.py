"""The measured efficiency v_rel along training."""

from __future__ import annotations

import polars as pl

from gradcascade.report.data import of_group
from gradcascade.report.figures.axes import log_steps, plain_log_ticks
from gradcascade.report.figures.base import ReportFigure
from gradcascade.report.figures.canvas import Canvas
from gradcascade.report.figures.quantities import MEDIAN_STEPS, group_labels, scale_lines, with_median


def mean_v_rel(channels: pl.DataFrame) -> pl.DataFrame:
    """Average v_rel over replicates, in logarithms, of the cascades that enter the fits."""
    keys = ["family", "field", "variant", "scale", "n", "step"]
    kept = channels.filter(pl.col("included"))
    return kept.group_by(keys).agg(pl.col("v_rel").log().mean().exp()).sort(keys)


class TransportOverSteps(ReportFigure):
    """v_rel against step for every scale and field; the null faint.

    Columns: family, field, variant, scale, n, step, v_rel (null where excluded), median (11-step rolling median of
    the real fields; null where none is drawn).
    """

    name = "transport"
    title = "Transport efficiency along training"

    def _frame(self) -> pl.DataFrame:
        drawn = self.data.channels.filter(pl.col("variant").is_in(self._drawn))
        keys = ["family", "field", "variant", "scale", "n", "step"]
        rows = drawn.select(keys).unique().join(mean_v_rel(drawn), on=keys, how="left").sort(keys)
        real = pl.col("variant") == "real"
        return with_median(rows, keys[:-1], "v_rel").with_columns(median=pl.when(real).then("median"))

    def table(self) -> pl.DataFrame:
        """Arrange v_rel with one column per scale."""
        return self._wide(["family", "field", "variant", "step"], "scale", "v_rel", self.data.scales())

    def _caption(self) -> str:
        null = f" Faint dashed lines: the {self.data.baseline} null." if self.data.baseline else ""
        smooth = (
            f" Strong lines are rolling medians over {MEDIAN_STEPS} steps, for drawing only; the thin ones behind "
            "them are the measurements."
            if self.frame()["median"].is_not_null().any()
            else ""
        )
        return (
            "Intensive transport efficiency v_rel = size / (N · duration) of every scale at every step. "
            f"The shaded range is the window that the summaries use.{null}{smooth}"
        )

    def _missing(self) -> str | None:
        if self.data.channels.filter(pl.col("included")).is_empty():
            return "No cascade is left to draw: all were excluded (the reasons are listed below)."
        return None

    def _draw(self, canvas: Canvas) -> None:
        data, frame = self.data, self.frame()
        panels = canvas.panels(group_labels(data))
        for axes, group in zip(panels[0], data.groups, strict=True):
            canvas.window(axes, data.windows[group])
            rows = of_group(frame, group)
            log_steps(axes, rows["step"].to_list())
            scale_lines(canvas, axes, data, group[0], rows, "step", "v_rel")
        plain_log_ticks(panels[0, 0])
        canvas.label_rows(panels, ["$v_\\mathrm{rel}$\n(share of entries per step)"])
