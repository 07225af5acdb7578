"""External performance beside transport: exponents against the metric's exponent, and scale by scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from gradcascade.performance.association import ALL, associations, channel_series, metric_series
from gradcascade.performance.metrics import metric_exponent
from gradcascade.report.data import ReportData, of_group
from gradcascade.report.figures.axes import per_million, plain_log_ticks
from gradcascade.report.figures.base import ReportFigure
from gradcascade.report.figures.canvas import Canvas
from gradcascade.report.figures.marks import VECTOR_LIMIT, column, draw_band, draw_line, show_all
from gradcascade.report.figures.quantities import (
    AXES,
    QUANTITIES,
    QUANTITY_STYLES,
    field_style,
    group_labels,
    no_exponents,
    quantity_rows,
    scale_label,
)
from gradcascade.report.figures.style import DASHED, GUIDE, PURPLE, density, plain, scale_styles
from gradcascade.report.figures.transport import mean_v_rel
from gradcascade.report.tables import signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NO_METRIC = "No external metric (such as held-out perplexity) came with this study."
V_REL = r"$v_\mathrm{rel}$"
CHANNELS = {"v_rel": f"mean {V_REL}", "duration_per_n": "mean duration / N\n(per $10^6$ entries)"}
METRIC_STYLE = {"color": PURPLE, "linestyle": DASHED, "marker": "D"}


def chosen_metric(data: ReportData) -> str | None:
    """Choose the metric to draw: perplexity if measured, else the first by name."""
    names = sorted(data.metrics["metric"].unique().to_list())
    likely = [name for name in names if "perplexity" in name.lower() or "ppl" in name.lower()]
    return next(iter(["perplexity"] if "perplexity" in names else likely or names), None)


class PerformanceBridge(ReportFigure):
    """The metric's exponent, the channels and the fitted exponents, one below the other along training.

    Columns: family, field, quantity ("metric" for the slope of the log metric on log N, "v_rel" and "duration_per_n"
    for the means over the scales, "D - 1", "z", "delta"), step, value, low, high (of the metric's exponent); and in
    rows without a step the Pearson correlation of a quantity with the metric's exponent along training: pearson, its
    p by shifts, and steps, how many both have.
    """

    name = "performance"
    title = "Performance and transport along training"

    def _frame(self) -> pl.DataFrame:
        data = self.data
        keys = ["family", "field", "quantity", "step"]
        schema = {"family": pl.String, "field": pl.String, "quantity": pl.String, "step": pl.Int64}
        empty = pl.DataFrame(schema=schema | dict.fromkeys(("value", "low", "high"), pl.Float64))
        groups = pl.DataFrame(data.groups, schema={"family": pl.String, "field": pl.String}, orient="row")
        metrics = data.metrics.filter(pl.col("metric") == (self.metric or ""))
        parts = [empty]
        for family in self._families:
            slopes = metric_exponent(metrics.filter(pl.col("family") == family), data.entries(family))
            parts.append(slopes.drop_nulls("value").join(groups, on="family").with_columns(quantity=pl.lit("metric")))
        real = data.cascades.filter(pl.col("variant") == "real", pl.col("family").is_in(self._families))
        if real.height:
            series = channel_series(real)
            means = series.filter(pl.col("scale") == ALL, pl.col("channel").is_in(list(CHANNELS)))
            parts.append(means.rename({"channel": "quantity"}))
            fits = data.fits.filter(pl.col("variant") == "real", pl.col("family").is_in(self._families))
            parts += [quantity_rows(fits.drop("low", "high")).drop_nulls("value"), self._correlations(series)]
        columns = [*empty.columns, "pearson", "p", "steps"]
        chosen = [part.select(name for name in columns if name in part.columns) for part in parts]
        return pl.concat(chosen, how="diagonal").sort(keys, nulls_last=True)

    @property
    def metric(self) -> str | None:
        """The metric drawn: perplexity if measured, else the first by name."""
        return chosen_metric(self.data)

    @property
    def _families(self) -> list[str]:
        named = self.data.metrics.filter(pl.col("metric") == (self.metric or ""))
        return [name for name in self.data.families if name in set(named["family"])]

    def _correlations(self, series: pl.DataFrame) -> pl.DataFrame:
        """Of the series of whole families with the metric's exponent: the few of all associations drawn here."""
        named = {exponent: quantity for quantity, exponent in QUANTITIES.items()} | {name: name for name in CHANNELS}
        own = series.filter(pl.col("scale") == ALL, pl.col("channel").is_in(list(named)))
        metrics = self.data.metrics.filter(pl.col("metric") == (self.metric or ""))
        parts = []
        for family in self._families:
            slopes = metric_series(metrics.filter(pl.col("family") == family), self.data.entries(family))
            known = associations(own.filter(pl.col("family") == family), slopes.filter(pl.col("scale") == ALL))
            parts.append(known.drop_nulls("pearson"))
        columns = ["family", "field", pl.col("channel").replace(named).alias("quantity"), "pearson", "p"]
        schema = {
            "family": pl.String,
            "field": pl.String,
            "quantity": pl.String,
            "pearson": pl.Float64,
            "p": pl.Float64,
        }
        empty = pl.DataFrame(schema=schema | {"steps": pl.Int64})
        return pl.concat([empty, *(part.select(*columns, steps="n_steps") for part in parts)])

    def _caption(self) -> str:
        return (
            f"Top: the slope of log {self.metric} on log N, with its 95 % interval. Below: the means of v_rel and of "
            "duration / N over the scales, and the fitted exponents. r is the Pearson correlation with the top row "
            "along training, its p by shifts of the series; both change with training, so it is no evidence of a "
            "cause."
        )

    def _missing(self) -> str | None:
        if self.metric is None:
            return NO_METRIC
        if self.frame().filter(pl.col("quantity") == "metric").is_empty():
            return f"The metric {self.metric} has at no step three scales of known size, so its exponent is missing."
        if self.frame().filter(pl.col("quantity") != "metric").is_empty():
            return no_exponents(self.data) or "No real field was measured beside the metric."
        return None

    def _draw(self, canvas: Canvas) -> None:
        data, frame = self.data, self.frame()
        groups = [group for group in data.groups if group[0] in self._families]
        panels = canvas.panels(group_labels(data, groups), rows=4)
        small = 5.0 if canvas.narrow else 6.2
        for column_of, group in zip(panels.T, groups, strict=True):
            rows = of_group(frame, group).filter(pl.col("step").is_not_null())
            notes = of_group(frame, group).filter(pl.col("step").is_null())
            for axes in column_of:
                canvas.window(axes, data.windows[group])
            metric = rows.filter(pl.col("quantity") == "metric")
            draw_band(column_of[0], metric, "step", METRIC_STYLE)
            draw_line(column_of[0], metric, "step", "value", METRIC_STYLE)
            for axes, channel in zip(column_of[1:3], CHANNELS, strict=True):
                style = field_style(group[1])
                draw_line(axes, rows.filter(pl.col("quantity") == channel), "step", "value", style)
                _note(axes, small, notes.filter(pl.col("quantity") == channel))
                canvas.key(f"mean over scales, {plain(group[1])}s", **style)
            canvas.zero(column_of[3])
            for quantity, style in QUANTITY_STYLES.items():
                draw_line(column_of[3], rows.filter(pl.col("quantity") == quantity), "step", "value", style)
            _note(column_of[3], small, notes.filter(pl.col("quantity").is_in(list(QUANTITIES))))
        canvas.counted(panels[-1], "training step")
        for axes in panels[1:3, 0]:
            plain_log_ticks(axes)
        per_million(panels[2, 0])
        show_all(panels[0, 0], frame.filter(pl.col("quantity") == "metric"))
        named = plain(self.metric, 14)
        canvas.label_rows(
            panels, [f"slope of log\n{named}", *(f"{label}" for label in CHANNELS.values()), "exponent"]
        )
        canvas.key(f"slope of log {plain(self.metric)} on log N", **METRIC_STYLE)
        for quantity, style in QUANTITY_STYLES.items():
            canvas.key(AXES[quantity].replace("  ", " "), **style)


class PerformanceByScale(ReportFigure):
    """An external metric against v_rel, scale by scale.

    Columns: family, field, scale, n, step, v_rel, metric, value; of the real fields, where both are known.
    """

    name = "performance-scales"
    title = "Performance against transport efficiency"

    @property
    def metric(self) -> str | None:
        """The metric drawn: perplexity if measured, else the first by name."""
        return chosen_metric(self.data)

    def _frame(self) -> pl.DataFrame:
        metrics = self.data.metrics.filter(pl.col("metric") == (self.metric or ""), pl.col("value").is_finite())
        measured = mean_v_rel(self.data.channels.filter(pl.col("variant") == "real")).drop("variant")
        order = ["family", "field", "scale", "n", "step"]
        return measured.join(metrics, on=["family", "scale", "step"], how="inner").sort(order)

    def _caption(self) -> str:
        return (
            f"Held-out {self.metric} against v_rel, one point per scale and step; a line follows one scale through "
            "training and its hollow marker is the first step. Both change with training, so a trend here is an "
            "association along training and no evidence of a cause."
        )

    def _missing(self) -> str | None:
        if self.metric is None:
            return NO_METRIC
        if self.frame().is_empty():
            return f"The metric {self.metric} was given for no scale and step that also has an included real cascade."
        return None

    def _draw(self, canvas: Canvas) -> None:
        data, frame = self.data, self.frame()
        present = set(frame.select("family", "field").iter_rows())
        groups = [group for group in data.groups if group in present]
        panels = canvas.panels(group_labels(data, groups))
        for axes, group in zip(panels[0], groups, strict=True):
            rows = of_group(frame, group)
            for scale, style in scale_styles(data.scales(group[0])).items():
                points = rows.filter(pl.col("scale") == scale)
                if points.is_empty():
                    continue
                x, y = column(points, "v_rel"), column(points, "value")
                many = {"linewidth": 0.8, "rasterized": points.height > VECTOR_LIMIT}
                axes.plot(x, y, **(density(np.arange(float(points.height))) | style | many))
                axes.plot(
                    x[:1], y[:1], style["marker"], color=style["color"], mfc="white", ms=5.2, zorder=4, label=GUIDE
                )
                canvas.key(scale_label(data, group[0], scale), **style)
            axes.set_xlabel(f"{V_REL} (share of entries per step)")
            axes.xaxis.get_major_formatter().set_useOffset(False)  # pyright: ignore[reportAttributeAccessIssue]
            axes.locator_params(axis="x", nbins=5)
        if column(frame, "value").min() > 0:
            plain_log_ticks(panels[0, 0])
        canvas.label_rows(panels, [f"held-out {plain(self.metric)}"])


def _note(axes: Axes, size: float, rows: pl.DataFrame) -> None:
    """Write the correlations above the panel."""
    words = ""
    for row in rows.iter_rows(named=True):
        if row["quantity"] in QUANTITIES:
            words += f"  {row['quantity'][0].replace('d', 'δ')} {signed(row['pearson'], 2)}"
        else:
            p = "" if row["p"] is None else f", p = {row['p']:.2g}"
            words += f" = {signed(row['pearson'], 2)}{p}"
    if words:
        axes.set_title(f"r{words}", loc="right", fontsize=size, fontweight="normal", y=1.0, pad=2.0)
