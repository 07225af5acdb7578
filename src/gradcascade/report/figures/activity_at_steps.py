"""How cascades die out at chosen training steps."""

from collections.abc import Sequence

import polars as pl

from gradcascade.report.data import Group, ReportData, of_group
from gradcascade.report.drawing.axes import plain_log_ticks
from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.quantities import NO_ACTIVITY, PROFILE_KEYS, SHARE_AXIS, group_labels, scale_lines
from gradcascade.scaling.profiles import mean_profiles


class ActivityAtSteps(ReportFigure):
    """|A_l| / N against the relaxation step l at chosen training steps.

    Columns: family, field, variant, scale, n, step (of training), relaxation_step (l, from 0), share (mean of
    |A_l| / N over replicates), alive, cascades.
    """

    name = "activity-steps"
    title = "Activity profiles at the start, in the middle and at the end"
    order = 130

    def __init__(self, data: ReportData, steps: Sequence[int] | None = None):
        super().__init__(data)
        self.steps = None if steps is None else sorted(set(steps))

    def chosen(self, group: Group) -> list[int]:
        """Training steps drawn of a family and field."""
        if self.steps is not None:
            return self.steps
        usable = pl.col("included") & pl.col("variant").is_in(self._drawn)
        known = of_group(self.data.channels, group).filter(usable)["step"].unique().sort().to_list()
        return sorted({known[0], known[len(known) // 2], known[-1]}) if known else []

    def _frame(self) -> pl.DataFrame:
        drawn = self.data.channels.filter(pl.col("included"), pl.col("variant").is_in(self._drawn))
        parts = [of_group(drawn, g).filter(pl.col("step").is_in(self.chosen(g))) for g in self.data.groups]
        return mean_profiles(pl.concat([drawn.clear(), *parts]), [*PROFILE_KEYS, "step"])

    def _missing(self) -> str | None:
        if self.frame().is_empty():
            known = "activity" in self.data.cascades.columns
            return "At the chosen steps no cascade was measured that enters the fits." if known else NO_ACTIVITY
        return None

    def _draw(self, canvas: Canvas) -> None:
        data, frame = self.data, self.frame()
        chosen = {group: self.chosen(group) for group in data.groups}
        panels = canvas.panels(group_labels(data), rows=max(len(steps) for steps in chosen.values()))
        for column_of, group in zip(panels.T, data.groups, strict=True):
            for axes, step in zip(column_of, chosen[group], strict=False):
                rows = of_group(frame, group).filter(pl.col("step") == step)
                scale_lines(canvas, axes, data, group[0], rows, "relaxation_step", "share")
                axes.text(0.98, 0.95, f"step {step:,}", transform=axes.transAxes, ha="right", va="top")
        canvas.counted(panels[-1], "relaxation step l")
        for row in panels:
            plain_log_ticks(row[0])
        canvas.label_rows(panels, [SHARE_AXIS] * len(panels))
