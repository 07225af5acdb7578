"""How cascades die out: the share of active entries in each relaxation step."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from gradcascade.report.data import Group, ReportData, of_group
from gradcascade.report.figures.axes import plain_log_ticks
from gradcascade.report.figures.base import ReportFigure
from gradcascade.report.figures.canvas import Canvas
from gradcascade.report.figures.quantities import group_labels, scale_lines

KEYS = ["family", "field", "variant", "scale", "n"]
NO_ACTIVITY = "The table of cascades has no column activity, so there is no profile to draw."
SHARE_AXIS = r"active share $|A_l|\,/\,N$"


def mean_profiles(cascades: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Average activity profiles."""
    if "activity" not in cascades.columns:
        numbers = {"relaxation_step": pl.Int64, "share": pl.Float64, "alive": pl.Int64, "cascades": pl.Int64}
        return pl.DataFrame(schema={name: cascades.schema[name] for name in keys} | numbers)
    total = cascades.group_by(keys).agg(cascades=pl.len())
    kept = cascades.select(*keys, "activity")
    long = kept.with_columns(relaxation_step=pl.int_ranges(0, pl.col("activity").list.len()))
    long = long.explode("activity", "relaxation_step").filter(pl.col("activity") > 0)
    sums = long.group_by(*keys, "relaxation_step").agg(active=pl.col("activity").sum(), alive=pl.len())
    profiles = sums.join(total, on=keys).with_columns(share=pl.col("active") / pl.col("n") / pl.col("cascades"))
    return profiles.select(*keys, "relaxation_step", "share", "alive", "cascades").sort(*keys, "relaxation_step")


class ActivityProfiles(ReportFigure):
    """|A_l| / N against the relaxation step l, averaged over the window.

    Columns: family, field, variant, scale, n, relaxation_step (l, from 0), share (mean of |A_l| / N over window steps
    and replicates, where a cascade that has stopped counts as zero), alive (cascades still active at l), cascades
    (how many were averaged).
    """

    name = "activity"
    title = "Activity profiles"

    def _frame(self) -> pl.DataFrame:
        drawn = self.data.channels.filter(pl.col("included"), pl.col("variant").is_in(self._drawn))
        parts = [
            of_group(drawn, group).filter(pl.col("step").is_between(*window))
            for group, window in self.data.windows.items()
        ]
        return mean_profiles(pl.concat([drawn.clear(), *parts]), KEYS)

    def table(self) -> pl.DataFrame:
        """Arrange the profiles with one column per scale."""
        return self._wide(["family", "field", "variant", "relaxation_step"], "scale", "share", self.data.scales())

    def _caption(self) -> str:
        null = f"; faint: the {self.data.baseline} null" if self.data.baseline else ""
        return (
            "Share of entries that are active in each relaxation step, on a logarithmic scale: the mean over the "
            f"window's cascades, where one that has stopped counts as zero{null}. A straight line is geometric "
            "decay; a long foot comes from a few very large entries."
        )

    def _missing(self) -> str | None:
        if self.frame().is_empty():
            known = "activity" in self.data.cascades.columns
            return "No included cascade lies in the window, so there is no profile." if known else NO_ACTIVITY
        return None

    def _draw(self, canvas: Canvas) -> None:
        data, frame = self.data, self.frame()
        panels = canvas.panels(group_labels(data))
        for axes, group in zip(panels[0], data.groups, strict=True):
            scale_lines(canvas, axes, data, group[0], of_group(frame, group), "relaxation_step", "share")
        canvas.counted(panels[0], "relaxation step l")
        plain_log_ticks(panels[0, 0])
        canvas.label_rows(panels, [SHARE_AXIS])


class ActivityAtSteps(ReportFigure):
    """|A_l| / N against the relaxation step l at chosen training steps.

    Columns: family, field, variant, scale, n, step (of training), relaxation_step (l, from 0), share (mean of
    |A_l| / N over replicates), alive, cascades.
    """

    name = "activity-steps"
    title = "Activity profiles at the start, in the middle and at the end"

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
        return mean_profiles(pl.concat([drawn.clear(), *parts]), [*KEYS, "step"])

    def _caption(self) -> str:
        null = f"; faint: the {self.data.baseline} null" if self.data.baseline else ""
        return (
            "Share of entries that are active in each relaxation step, on a logarithmic scale, of single snapshots "
            f"along training{null}. A foot that grows longer from row to row comes from entries that grow larger."
        )

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
