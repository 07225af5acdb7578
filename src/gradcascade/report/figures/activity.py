"""How cascades die out: the share of active entries in each relaxation step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from gradcascade.report.data import of_group
from gradcascade.report.figures.base import ReportFigure, column, panel_row, scale_label
from gradcascade.report.figures.style import (
    GREY,
    density,
    legend_below,
    line_key,
    plain,
    plain_log_ticks,
    scale_styles,
    whole_numbers,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ActivityProfiles(ReportFigure):
    """|A_l| / N against the relaxation step l, averaged over the window."""

    name = "activity"
    title = "Activity profiles"

    def frame(self) -> pl.DataFrame:
        """Average the profiles of included cascades over window steps and replicates.

        Returns
        -------
        polars.DataFrame
            Columns family, field, variant, scale, n, relaxation_step (l, from 0), share (mean of |A_l| / N, where
            a cascade that has stopped counts as zero), alive (cascades still active at l), cascades (how many
            were averaged).
        """
        keys = ["family", "field", "variant", "scale", "n"]
        drawn = self.data.channels.filter(
            pl.col("included"), pl.col("variant").is_in(["real", self.data.baseline or "real"])
        )
        parts = [
            of_group(drawn, group).filter(pl.col("step").is_between(*window))
            for group, window in self.data.windows.items()
        ]
        kept = pl.concat([drawn.clear(), *parts]).select(*keys, "activity")
        total = kept.group_by(keys).agg(cascades=pl.len())
        long = kept.with_columns(relaxation_step=pl.int_ranges(0, pl.col("activity").list.len()))
        long = long.explode("activity", "relaxation_step").filter(pl.col("activity") > 0)
        sums = long.group_by(*keys, "relaxation_step").agg(active=pl.col("activity").sum(), alive=pl.len())
        profiles = sums.join(total, on=keys).with_columns(share=pl.col("active") / pl.col("n") / pl.col("cascades"))
        return profiles.select(*keys, "relaxation_step", "share", "alive", "cascades").sort(*keys, "relaxation_step")

    def table(self) -> pl.DataFrame:
        """Arrange the profiles with one column per scale.

        Returns
        -------
        polars.DataFrame
            One row per family, field, variant and relaxation step.
        """
        keys = ["family", "field", "variant", "relaxation_step"]
        wide = self.frame().pivot("scale", index=keys, values="share").sort(keys)
        return wide.select(*keys, *(name for name in self.data.scales() if name in wide.columns[4:]))

    def caption(self) -> str:
        """Say what is drawn.

        Returns
        -------
        str
            Plain text.
        """
        null = f"; faint: the {self.data.baseline} null" if self.data.baseline else ""
        return (
            "Share of entries that are active in each relaxation step, on a logarithmic scale: the mean over the "
            f"window's cascades, where one that has stopped counts as zero{null}. A straight line is geometric "
            "decay; a long foot comes from a few very large entries."
        )

    def missing(self) -> str | None:
        """Say why there is nothing to draw.

        Returns
        -------
        str or None
            One sentence, or None.
        """
        if self.frame().is_empty():
            return "No included cascade lies in the window, so there is no profile to draw."
        return None

    def _draw(self, figure: Figure) -> None:
        data, frame = self.data, self.frame()
        handles: dict[Any, tuple[Any, str]] = {}
        panels = panel_row(figure, data, data.groups)
        for axes, group in zip(panels, data.groups, strict=True):
            rows = of_group(frame, group)
            for scale, style in scale_styles(data.scales(group[0])).items():
                null = rows.filter(pl.col("scale") == scale, pl.col("variant") == data.baseline)
                axes.plot(null["relaxation_step"], column(null, "share"), color=style["color"], lw=0.8, alpha=0.45)
                real = rows.filter(pl.col("scale") == scale, pl.col("variant") == "real")
                (line,) = axes.plot(real["relaxation_step"], column(real, "share"), **(density(real.height) | style))
                handles.setdefault((group[0], scale), (line, scale_label(data, group[0], scale)))
            whole_numbers(axes, "relaxation step l")
        plain_log_ticks(panels[0])
        for axes in panels[::2]:
            axes.set_ylabel(r"active share $|A_l|\,/\,N$")
        if data.baseline:
            handles["null"] = line_key(color=GREY, lw=0.8, alpha=0.7), f"{plain(data.baseline)} null"
        legend_below(figure, list(handles.values()), columns=3)
