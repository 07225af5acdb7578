"""The exponents in other orders of the tensors, beside N2, which has none."""

import numpy as np
import polars as pl

from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.marks import draw_intervals
from gradcascade.report.drawing.quantities import group_label
from gradcascade.report.drawing.style import INK, plain
from gradcascade.scaling.choice_shifts import PLANNED
from gradcascade.scaling.order_sensitivity import FREE, VALUE_SCHEMA
from gradcascade.vocabulary import SHOWN_EXPONENTS, SYMBOLS

_STYLES = {
    PLANNED: {"color": "#b35806", "marker": "D", "markersize": 4.0},
    FREE: {"color": "#542788", "marker": "s", "markersize": 4.0},
}
_OTHER = {"color": INK, "marker": "o", "markersize": 3.0}


class TensorOrders(ReportFigure):
    """D, z and delta in every order of the tensors that was measured, and of N2.

    Columns: family, field, exponent, order ("as planned", the name of an order, or "N2"), value (mean over the
    sampled steps), low, high (its 95 % interval along training; null with few steps), n_steps.
    """

    name = "orders"
    title = "Order of the tensors"
    order = 160

    def _frame(self) -> pl.DataFrame:
        columns = [name for name in VALUE_SCHEMA if name not in ("code", "reason")]
        if self.data.orders is None:
            return pl.DataFrame(schema={name: VALUE_SCHEMA[name] for name in columns})
        return self.data.orders.filter(pl.col("exponent").is_in(SHOWN_EXPONENTS)).select(columns)

    def _missing(self) -> str | None:
        if self.data.orders is None:
            return "No other orders of the tensors were measured; run `gradcascade robustness` first."
        if self.frame()["value"].is_null().all():
            return "In no order of the tensors could an exponent be fitted."
        return None

    def _draw(self, canvas: Canvas) -> None:
        frame = self.frame()
        parts = frame.partition_by("family", "field", maintain_order=True)
        titles = [group_label(self.data, part.select("family", "field").row(0)) for part in parts]
        panels = canvas.panels(titles, rows=len(SHOWN_EXPONENTS), sharey=False, per_row=1 if canvas.narrow else 2)
        for column, part in enumerate(parts):
            orders = part["order"].unique(maintain_order=True).to_list()
            for axes, exponent in zip(panels[:, column], SHOWN_EXPONENTS, strict=True):
                rows = part.filter(pl.col("exponent") == exponent)
                for kind, own in rows.group_by("order", maintain_order=True):
                    place = np.array([float(orders.index(kind[0]))])
                    draw_intervals(axes, place, own, _STYLES.get(str(kind[0]), _OTHER))
                axes.set_ylabel(SYMBOLS[exponent])
                axes.set_xlim(-0.6, len(orders) - 0.4)
                names = [plain(name, 14) for name in orders]
                axes.set_xticks(np.arange(len(orders)), names, rotation=90, fontsize=6.0)
