"""Compressibility as a map: channels against training steps."""

import numpy as np
import polars as pl

from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.marks import UNKNOWN, column
from gradcascade.report.drawing.quantities import CHANNEL_LABELS, CHANNEL_STYLES, group_labels
from gradcascade.report.drawing.style import plain


class CompressibilityMap(ReportFigure):
    """R2 as the lightness of a map: channels against steps, real fields and the null's below.

    Columns: family, field, variant, exponent, step, r2 (null, and hatched in the map, where undefined).
    """

    name = "compressibility-map"
    title = "Compressibility map"
    order = 50
    needs = ("r2", "No R² is defined for the fields drawn here.")

    def _frame(self) -> pl.DataFrame:
        keys = ["family", "field", "variant", "exponent", "step"]
        drawn = pl.col("variant").is_in(self._drawn) & pl.col("exponent").is_in(list(CHANNEL_STYLES))
        return self.data.fits.filter(drawn).select(*keys, "r2").sort(keys)

    def _table(self) -> pl.DataFrame:
        return self._wide(["family", "field", "variant", "step"], "exponent", "r2", list(CHANNEL_STYLES))

    def _draw(self, canvas: Canvas) -> None:
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        lines = [(variant, exponent) for variant in self._drawn for exponent in CHANNEL_STYLES]
        panels = canvas.panels(group_labels(self.data), height=0.3 + 0.19 * len(lines))
        norm = Normalize(0, 1)
        for axes, _, rows in self._panels(canvas, panels[0], self.frame()):
            steps = rows["step"].unique().sort().to_numpy()
            cells = np.full((len(lines), steps.size), np.nan)
            for place, (variant, exponent) in enumerate(lines):
                one = rows.filter(pl.col("variant") == variant, pl.col("exponent") == exponent)
                cells[place, np.searchsorted(steps, one["step"].to_numpy())] = column(one, "r2")
            axes.set_facecolor("#ffffff")
            axes.patch.set(**UNKNOWN)
            grid = _edges(steps), np.arange(len(lines) + 1) - 0.5
            axes.pcolormesh(*grid, np.ma.masked_invalid(cells), norm=norm, cmap="cividis", rasterized=True)
            axes.set_ylim(len(lines) - 0.5, -0.5)
            axes.grid(visible=False)
            names = [CHANNEL_LABELS[e] + ("" if v == "real" else f", {plain(v)}") for v, e in lines]
            axes.set_yticks(np.arange(len(lines)), names)
            axes.tick_params(axis="y", length=0)
        canvas.counted(panels[0], self.data.step_label)
        canvas.colours(panels, ScalarMappable(norm, "cividis"), "R² of the fit")


def _edges(steps: np.ndarray) -> np.ndarray:
    """Edges of cells around the steps: half way to each neighbour."""
    if steps.size == 1:
        return np.array([steps[0] - 0.5, steps[0] + 0.5])
    middle = (steps[1:] + steps[:-1]) / 2
    return np.concatenate([[2 * steps[0] - middle[0]], middle, [2 * steps[-1] - middle[-1]]])
