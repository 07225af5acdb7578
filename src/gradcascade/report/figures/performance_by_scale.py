"""An external metric against transport efficiency, scale by scale."""

import numpy as np
import polars as pl

from gradcascade.report.data import of_group
from gradcascade.report.drawing.axes import plain_log_ticks
from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.marks import VECTOR_LIMIT, column
from gradcascade.report.drawing.quantities import NO_METRIC, V_REL, group_labels, scale_label
from gradcascade.report.drawing.style import GUIDE, density, plain, scale_styles


class PerformanceByScale(ReportFigure):
    """An external metric against v_rel, scale by scale.

    Columns: family, field, scale, n, step, v_rel, metric, value; of the real fields, where both are known.
    """

    name = "performance-scales"
    title = "Performance against transport efficiency"
    order = 110

    def _frame(self) -> pl.DataFrame:
        metrics = self.data.mean_metrics.filter(pl.col("metric") == (self.metric or ""), pl.col("value").is_finite())
        measured = self.data.means.filter(pl.col("variant") == "real")
        order = ["family", "field", "scale", "n", "step"]
        both = measured.join(metrics, on=["family", "scale", "step"], how="inner").sort(order)
        return both.select(*order, "v_rel", "metric", "value")

    def _missing(self) -> str | None:
        if not self.metric:
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
