"""The measured efficiency: v_rel along training, and against external performance."""

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
    shade_window,
    whole_numbers,
    window_key,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

V_REL_AXIS = r"$v_\mathrm{rel}$ (share of entries per relaxation step)"


def mean_v_rel(channels: pl.DataFrame) -> pl.DataFrame:
    """Average v_rel over replicates, in logarithms, of the cascades that enter the fits.

    Parameters
    ----------
    channels : polars.DataFrame
        The channels table.

    Returns
    -------
    polars.DataFrame
        Columns family, field, variant, scale, n, step, v_rel.
    """
    keys = ["family", "field", "variant", "scale", "n", "step"]
    kept = channels.filter(pl.col("included"))
    return kept.group_by(keys).agg(pl.col("v_rel").log().mean().exp()).sort(keys)


class TransportOverSteps(ReportFigure):
    """v_rel against step for every scale and field; the null faint."""

    name = "transport"
    title = "Transport efficiency along training"

    def frame(self) -> pl.DataFrame:
        """Collect v_rel of the real fields and of the null drawn.

        Returns
        -------
        polars.DataFrame
            Columns family, field, variant, scale, n, step, v_rel (null where excluded).
        """
        drawn = self.data.channels.filter(pl.col("variant").is_in(["real", self.data.baseline or "real"]))
        keys = ["family", "field", "variant", "scale", "n", "step"]
        every = drawn.select(keys).unique()
        return every.join(mean_v_rel(drawn), on=keys, how="left").sort(keys)

    def table(self) -> pl.DataFrame:
        """Arrange v_rel with one column per scale.

        Returns
        -------
        polars.DataFrame
            One row per family, field, variant and step.
        """
        wide = self.frame().pivot("scale", index=["family", "field", "variant", "step"], values="v_rel")
        scales = [name for name in self.data.scales() if name in wide.columns[4:]]
        return wide.select("family", "field", "variant", "step", *scales).sort("family", "field", "variant", "step")

    def caption(self) -> str:
        """Say what is drawn.

        Returns
        -------
        str
            Plain text.
        """
        null = f" Faint thin lines: the {self.data.baseline} null." if self.data.baseline else ""
        return (
            "Intensive transport efficiency v_rel = size / (N · duration) of every scale at every step. "
            f"The shaded range is the window that the summaries use.{null}"
        )

    def missing(self) -> str | None:
        """Say why there is nothing to draw.

        Returns
        -------
        str or None
            One sentence, or None.
        """
        if self.data.channels.filter(pl.col("included")).is_empty():
            return "No cascade is left to draw: all were excluded (the reasons are listed below)."
        return None

    def _draw(self, figure: Figure) -> None:
        data, frame = self.data, self.frame()
        handles: dict[Any, tuple[Any, str]] = {}
        panels = panel_row(figure, data, data.groups)
        for axes, group in zip(panels, data.groups, strict=True):
            shade_window(axes, data.windows[group])
            styles = scale_styles(data.scales(group[0]))
            rows = of_group(frame, group)
            for scale, style in styles.items():
                null = rows.filter(pl.col("scale") == scale, pl.col("variant") == data.baseline)
                axes.plot(null["step"], column(null, "v_rel"), color=style["color"], linewidth=0.7, alpha=0.45)
                real = rows.filter(pl.col("scale") == scale, pl.col("variant") == "real")
                (line,) = axes.plot(real["step"], column(real, "v_rel"), **(density(real.height) | style))
                handles.setdefault((group[0], scale), (line, scale_label(data, group[0], scale)))
            whole_numbers(axes, "training step")
        plain_log_ticks(panels[0])
        for axes in panels[::2]:
            axes.set_ylabel("$v_\\mathrm{rel}$\n(share of entries per step)")
        if data.baseline:
            handles["null"] = line_key(color=GREY, linewidth=0.7, alpha=0.7), f"{plain(data.baseline)} null"
        handles["window"] = window_key(), "window"
        legend_below(figure, list(handles.values()), columns=3)


class PerformanceBridge(ReportFigure):
    """An external metric (perplexity where there is one) against v_rel."""

    name = "performance"
    title = "Performance against transport efficiency"

    @property
    def metric(self) -> str | None:
        """The metric drawn: perplexity if measured, else the first by name."""
        names = sorted(self.data.metrics["metric"].unique().to_list())
        likely = [name for name in names if "perplexity" in name.lower() or "ppl" in name.lower()]
        return next(iter(["perplexity"] if "perplexity" in names else likely or names), None)

    def frame(self) -> pl.DataFrame:
        """Pair v_rel of the real fields with the metric of the same scale and step.

        Returns
        -------
        polars.DataFrame
            Columns family, field, scale, n, step, v_rel, metric, value.
        """
        metrics = self.data.metrics.filter(pl.col("metric") == (self.metric or ""), pl.col("value").is_finite())
        measured = mean_v_rel(self.data.channels.filter(pl.col("variant") == "real")).drop("variant")
        order = ["family", "field", "scale", "n", "step"]
        return measured.join(metrics, on=["family", "scale", "step"], how="inner").sort(order)

    def caption(self) -> str:
        """Say what is drawn.

        Returns
        -------
        str
            Plain text.
        """
        return (
            f"Held-out {self.metric} against v_rel, one point per scale and step; a line follows one scale through "
            "training and its hollow marker is the first step. Both change with training, so a trend here is an "
            "association along training and no evidence of a cause."
        )

    def missing(self) -> str | None:
        """Say why there is nothing to draw.

        Returns
        -------
        str or None
            One sentence, or None.
        """
        if self.metric is None:
            return "No external metric (such as held-out perplexity) came with this study."
        if self.frame().is_empty():
            return f"The metric {self.metric} was given for no scale and step that also has an included real cascade."
        return None

    def _draw(self, figure: Figure) -> None:
        data, frame = self.data, self.frame()
        handles: dict[Any, tuple[Any, str]] = {}
        present = set(frame.select("family", "field").iter_rows())
        groups = [group for group in data.groups if group in present]
        panels = panel_row(figure, data, groups, sharey=True)
        for axes, group in zip(panels, groups, strict=True):
            rows = of_group(frame, group)
            for scale, style in scale_styles(data.scales(group[0])).items():
                points = rows.filter(pl.col("scale") == scale)
                if points.is_empty():
                    continue
                x, y = column(points, "v_rel"), column(points, "value")
                (line,) = axes.plot(x, y, **(density(points.height) | style))
                line.set_linewidth(0.8)
                axes.plot(x[:1], y[:1], style["marker"], color=style["color"], mfc="white", ms=5.5, zorder=4)
                handles.setdefault((group[0], scale), (line, scale_label(data, group[0], scale)))
            axes.set_xlabel(V_REL_AXIS)
            axes.xaxis.get_major_formatter().set_useOffset(False)  # pyright: ignore[reportAttributeAccessIssue]
            axes.locator_params(axis="x", nbins=6)
        if column(frame, "value").min() > 0:
            plain_log_ticks(panels[0])
        for axes in panels[::2]:
            axes.set_ylabel(f"held-out {plain(self.metric)}")
        legend_below(figure, list(handles.values()), columns=3)
