"""How cascades die out: the share of active entries in each relaxation step, over the window."""

import polars as pl

from gradcascade.report.drawing.axes import plain_log_ticks
from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.quantities import NO_ACTIVITY, PROFILE_KEYS, SHARE_AXIS, group_labels, scale_lines
from gradcascade.scaling.profiles import mean_profiles


class ActivityProfiles(ReportFigure):
    """|A_l| / N against the relaxation step l, averaged over the window.

    Columns: family, field, variant, scale, n, relaxation_step (l, from 0), share (mean of |A_l| / N over window steps
    and replicates, where a cascade that has stopped counts as zero), alive (cascades still active at l), cascades
    (how many were averaged).
    """

    name = "activity"
    title = "Activity profiles"
    order = 120

    def _frame(self) -> pl.DataFrame:
        drawn = self.data.channels.filter(pl.col("included"), pl.col("variant").is_in(self._drawn))
        return mean_profiles(self._in_windows(drawn), PROFILE_KEYS)

    def _table(self) -> pl.DataFrame:
        return self._wide(["family", "field", "variant", "relaxation_step"], "scale", "share", self.data.scales())

    def _missing(self) -> str | None:
        if self.frame().is_empty():
            known = "activity" in self.data.cascades.columns
            return "No included cascade lies in the window, so there is no profile." if known else NO_ACTIVITY
        return None

    def _draw(self, canvas: Canvas) -> None:
        panels = canvas.panels(group_labels(self.data))
        for axes, group, rows in self._panels(canvas, panels[0], self.frame()):
            scale_lines(canvas, axes, self.data, group[0], rows, "relaxation_step", "share")
        canvas.counted(panels[0], "relaxation step l")
        plain_log_ticks(panels[0, 0])
        canvas.label_rows(panels, [SHARE_AXIS])
