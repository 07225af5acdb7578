"""What one more run of each scale, and one more scale, would give."""

from __future__ import annotations

import polars as pl

from gradcascade.report.drawing.axes import plain_log_ticks
from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.marks import draw_line
from gradcascade.report.drawing.quantities import QUANTITIES, QUANTITY_STYLES, SYMBOLS, group_labels, no_exponents
from gradcascade.report.drawing.style import DOTTED
from gradcascade.scaling.measured_designs import BETWEEN, BEYOND, RUNS

ROWS = {"runs of each scale": (RUNS,), "scales": (BETWEEN, BEYOND)}
SHOWN = ("z", "delta")


class FurtherRuns(ReportFigure):
    """Half width of the intervals across scales against the number of runs of each scale, and of scales.

    Columns: family, field, quantity ("z", "delta"), change ("runs of each size"; "sizes between", spread evenly over
    the measured range; "sizes beyond", larger ones added), number (of runs of each, or of sizes), half_width (median,
    of 95 %), smallest (difference from zero shown in four of five cases), cost (of all runs, over the measured ones).
    """

    name = "further-runs"
    title = "What further runs and scales would give"
    order = 28
    needs = ("half_width", "The runs and scales show no scatter, so nothing can be said of further ones.")

    def _frame(self) -> pl.DataFrame:
        columns = ["family", "field", "quantity", "change", "number", "half_width", "smallest", "cost"]
        names = {exponent: name for name, exponent in QUANTITIES.items()}
        known = self.data.answers["design_curves"].filter(pl.col("exponent").is_in(SHOWN))
        return known.with_columns(quantity=pl.col("exponent").replace(names)).select(columns)

    def _missing(self) -> str | None:
        return no_exponents(self.data) or super()._missing()

    def _draw(self, canvas: Canvas) -> None:
        panels = canvas.panels(group_labels(self.data), rows=len(ROWS), sharex=False)
        for row, (label, changes) in zip(panels, ROWS.items(), strict=True):
            frame = self.frame().filter(pl.col("change").is_in(changes))
            for axes, _, rows in self._panels(canvas, row, frame):
                for quantity in SHOWN:
                    style = QUANTITY_STYLES[quantity] | {"markersize": 3.2}
                    for change in changes:
                        own = rows.filter(pl.col("quantity") == quantity, pl.col("change") == change)
                        line = {"linestyle": DOTTED, "markerfacecolor": "white"} if change == BEYOND else {}
                        draw_line(axes, own, "number", "half_width", style | line)
                    canvas.key(SYMBOLS[quantity], **style)
            canvas.counted(row, label)
            for axes in row[:1]:
                plain_log_ticks(axes)
        canvas.key("larger scales added", color="#555555", linestyle=DOTTED, marker="o", markerfacecolor="white")
        canvas.label_rows(panels, ["half width, 95 %"] * len(ROWS))
