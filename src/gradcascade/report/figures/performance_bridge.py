"""External performance beside transport along training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from gradcascade.fields.kinds import field_plural
from gradcascade.performance.association import ALL
from gradcascade.report.data import of_group
from gradcascade.report.drawing.axes import per_million, plain_log_ticks
from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.marks import draw_band, draw_line, show_all
from gradcascade.report.drawing.quantities import (
    AXES,
    NO_METRIC,
    QUANTITIES,
    QUANTITY_STYLES,
    V_REL,
    field_style,
    group_labels,
    no_exponents,
    quantity_rows,
)
from gradcascade.report.drawing.style import DASHED, PURPLE, plain
from gradcascade.report.page_tables import signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CHANNELS = {"v_rel": f"mean {V_REL}", "duration_per_n": "mean duration / N\n(per $10^6$ entries)"}
METRIC_STYLE = {"color": PURPLE, "linestyle": DASHED, "marker": "D"}


class PerformanceBridge(ReportFigure):
    """The metric's exponent, the channels and the fitted exponents, one below the other along training.

    Columns: family, field, quantity ("metric" for the slope of the log metric on log N, "v_rel" and "duration_per_n"
    for the means over the scales, "D - 1", "z", "delta"), step, value, low, high (of the metric's exponent); and in
    rows without a step the Pearson correlation of a quantity with the metric's exponent along training: pearson, the
    share p of pairs of series with only these trends that reach it, and steps, how many both have.
    """

    name = "performance"
    title = "Performance and transport along training"
    order = 100

    def _frame(self) -> pl.DataFrame:
        data, keys = self.data, ["family", "field", "quantity", "step"]
        columns = [*keys, "value", "low", "high", "pearson", "p", "steps"]
        schema = dict.fromkeys(keys[:3], pl.String) | {"step": pl.Int64} | dict.fromkeys(columns[4:9], pl.Float64)
        empty = pl.DataFrame(schema=schema | {"steps": pl.Int64})
        if not self._families:
            return empty
        ours = pl.col("family").is_in(self._families)
        groups = pl.DataFrame(data.groups, schema=dict.fromkeys(keys[:2], pl.String), orient="row")
        slopes = data.answers["metric_exponents"].filter(ours, pl.col("metric") == data.shown_metric)
        slopes = slopes.drop_nulls("value").join(groups, on="family").with_columns(quantity=pl.lit("metric"))
        means = data.series.filter(ours, pl.col("scale") == ALL, pl.col("channel").is_in(list(CHANNELS)))
        fits = quantity_rows(data.fits.filter(ours, pl.col("variant") == "real").drop("low", "high"))
        parts = [slopes, means.rename({"channel": "quantity"}), fits.drop_nulls("value"), self._correlations()]
        chosen = [part.select(name for name in columns if name in part.columns) for part in parts]
        return pl.concat([empty, *chosen], how="diagonal").sort(keys, nulls_last=True)

    @property
    def _families(self) -> list[str]:
        named = set(self.data.metrics.filter(pl.col("metric") == self.metric)["family"])
        return [name for name in self.data.families if name in named]

    def _correlations(self) -> pl.DataFrame:
        """Of the series of whole families with the metric's exponent: the few of all associations drawn here."""
        named = {exponent: quantity for quantity, exponent in QUANTITIES.items()} | {name: name for name in CHANNELS}
        known = self.data.answers["associations"].filter(
            pl.col("family").is_in(self._families),
            pl.col("scale") == ALL,
            pl.col("channel").is_in(list(named)),
            pl.col("metric") == f"slope of {self.metric}",
        )
        quantity = pl.col("channel").replace(named).alias("quantity")
        known = known.drop_nulls("pearson")
        return known.select("family", "field", quantity, "pearson", p="p_trend", steps="n_steps")

    def _missing(self) -> str | None:
        if not self.metric:
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
                canvas.key(f"mean over scales, {plain(field_plural(group[1]))}", **style)
            canvas.zero(column_of[3])
            for quantity, style in QUANTITY_STYLES.items():
                draw_line(column_of[3], rows.filter(pl.col("quantity") == quantity), "step", "value", style)
            _note(column_of[3], small, notes.filter(pl.col("quantity").is_in(list(QUANTITIES))))
        canvas.counted(panels[-1], self.data.step_label)
        for axes in panels[1:3, 0]:
            plain_log_ticks(axes)
        per_million(panels[2, 0])
        show_all(panels[0, 0], frame.filter(pl.col("quantity") == "metric"))
        named = plain(self.metric, 14)
        canvas.label_rows(panels, [f"slope of log\n{named}", *CHANNELS.values(), "exponent"])
        canvas.key(f"slope of log {plain(self.metric)} on log N", **METRIC_STYLE)
        for quantity, style in QUANTITY_STYLES.items():
            canvas.key(AXES[quantity].replace("  ", " "), **style)


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
