"""The early, middle and late third of the window."""

import polars as pl

from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.marks import column, draw_dots
from gradcascade.report.drawing.quantities import (
    NULL_STYLE,
    PART_LABELS,
    PART_STYLES,
    QUANTITIES,
    group_labels,
    quantity_rows,
)
from gradcascade.report.drawing.style import INK, plain
from gradcascade.scaling.decomposition import null_parts
from gradcascade.scaling.tertiles import TERTILES, summarise_tertiles


class Tertiles(ReportFigure):
    """Each exponent and its null differences in the early, middle and late third of the window.

    Columns: family, field, quantity ("D - 1", "z", "delta"), series ("real", "null", "total", "dist", "assign"),
    tertile, mean, sd (null for a single step), first_step, last_step, n_steps.
    """

    name = "tertiles"
    title = "Early, middle and late in the window"
    order = 90
    needs = ("mean", "No window has three steps with exponents, so there are no thirds of it.")

    def _frame(self) -> pl.DataFrame:
        names = {"real": "real", self.data.baseline: "null"}
        columns = ["family", "field", "step", "quantity", "series", "value"]
        fits = quantity_rows(self.data.fits.filter(pl.col("variant").is_in(self._drawn)))
        values = fits.with_columns(series=pl.col("variant").replace(names)).select(columns)
        split = null_parts(self.data.decomposition.filter(pl.col("exponent").is_in(list(QUANTITIES.values()))))
        quantity = {exponent: quantity for quantity, exponent in QUANTITIES.items()}
        split = split.with_columns(quantity=pl.col("exponent").replace(quantity), series="part").select(columns)
        return summarise_tertiles(pl.concat([values, split]), ["quantity", "series"], self.data.windows)

    def _draw(self, canvas: Canvas) -> None:
        data, frame = self.data, self.frame()
        styles = {
            "real": {"color": INK, "marker": "o", "markerfacecolor": "white", "markersize": 4.5},
            "null": NULL_STYLE | {"marker": "x", "markersize": 4.5},
            **PART_STYLES,
        }
        panels = canvas.panels(group_labels(data), rows=len(QUANTITIES))
        thirds = {name: place for place, name in enumerate(TERTILES)}
        for row, quantity in zip(panels, QUANTITIES, strict=True):
            shown = frame.filter(pl.col("quantity") == quantity)
            for axes, _, rows in self._panels(canvas, row, shown, zero=True):
                for place, (series, style) in enumerate(styles.items()):
                    one = rows.filter(pl.col("series") == series)
                    third = one["tertile"].replace_strict(thirds, return_dtype=pl.Float64).to_numpy()
                    x = third + (place - 2) * 0.15
                    draw_dots(axes, x, column(one, "mean"), style, column(one, "sd"))
                axes.set_xticks(range(len(TERTILES)), TERTILES)
                axes.set_xlim(-0.5, len(TERTILES) - 0.5)
        canvas.label_rows(panels, ["D \N{MINUS SIGN} 1 and ΔD", "z and Δz", "δ and Δδ"])
        labels = {"real": "real", "null": f"{plain(data.baseline)} null"} | PART_LABELS
        present = set(frame["series"])
        for series, style in styles.items():
            if series in present:
                canvas.key(labels[series], **style | {"linestyle": "none"})
