"""The robustness map: how far each choice of the method moves each exponent."""

import numpy as np
import polars as pl

from gradcascade.report import words
from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.marks import UNKNOWN, column
from gradcascade.report.drawing.quantities import group_label
from gradcascade.report.drawing.style import INK, plain
from gradcascade.report.page_tables import signed
from gradcascade.vocabulary import SYMBOLS

LIMIT = 4.0
"""Standard errors at which the colours end."""


class RobustnessMap(ReportFigure):
    """Shift of every exponent under every alternative choice, coloured by its size in standard errors.

    Columns: those of the robustness table (choice, exponent, shift, low, high, its standard error se and degrees of
    freedom; family and field where it has them), and in_errors: the shift in standard errors, null without one.
    """

    name = "robustness"
    title = "Robustness to the choices of the method"
    order = 150

    def _frame(self) -> pl.DataFrame:
        table = self.data.robustness
        if table is None:
            columns = ("choice", "exponent", "shift", "low", "high", "se", "in_errors")
            return pl.DataFrame(schema={name: pl.String if name in columns[:2] else pl.Float64 for name in columns})
        if "se" not in table.columns:  # a table from elsewhere: an interval alone does not say its degrees of freedom
            table = table.with_columns(se=pl.lit(None, dtype=pl.Float64))
        columns = [*self._places(table), "choice", "exponent", "shift", "low", "high", "se", "degrees"]
        known = table.select(name for name in columns if name in table.columns)
        return known.with_columns(in_errors=pl.col("shift") / pl.when(pl.col("se") > 0).then("se"))

    @staticmethod
    def _places(table: pl.DataFrame) -> list[str]:
        return [name for name in ("family", "field") if name in table.columns]

    def _caption(self) -> str:
        return words.caption(self.name, limit=f"{LIMIT:g}")

    def _missing(self) -> str | None:
        if self.data.robustness is None:
            return "No other choices of the method were measured; run `gradcascade robustness` first."
        if self.frame()["shift"].is_null().all():
            return "At none of the other choices could an exponent be fitted."
        return None

    def _draw(self, canvas: Canvas) -> None:
        from matplotlib import colormaps
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        frame = self.frame()
        places = self._places(frame)
        parts = frame.partition_by(places, maintain_order=True) if places else [frame]
        titles = [self._title(part, places) for part in parts]
        choices = frame["choice"].unique(maintain_order=True).to_list()
        names = [name for name in SYMBOLS if name in set(frame["exponent"])]
        panels = canvas.panels(titles, height=0.3 + 0.2 * len(choices), per_row=1 if canvas.narrow else 2)
        colours, norm = colormaps["PuOr_r"], Normalize(-LIMIT, LIMIT)
        for axes, part in zip(panels[0], parts, strict=True):
            cells = np.full((len(choices), len(names)), np.nan)
            errors = cells.copy()
            rows = [choices.index(name) for name in part["choice"]]
            columns = [names.index(name) for name in part["exponent"]]
            cells[rows, columns], errors[rows, columns] = column(part, "shift"), column(part, "in_errors")
            axes.patch.set(**UNKNOWN)
            grid = np.arange(len(names) + 1) - 0.5, np.arange(len(choices) + 1) - 0.5
            shown = np.ma.masked_array(np.nan_to_num(errors), np.isnan(cells))
            axes.pcolormesh(*grid, shown, norm=norm, cmap=colours, edgecolors="white", linewidth=0.8)
            for (row, place), shift in np.ndenumerate(cells):
                if np.isfinite(shift):
                    dark = abs(norm(float(np.nan_to_num(errors[row, place]))) - 0.5) > 0.36
                    look = {"fontsize": 6.0 if canvas.narrow else 6.5, "color": "white" if dark else INK}
                    axes.text(place, row, signed(shift), ha="center", va="center", **look)
            axes.set_ylim(len(choices) - 0.5, -0.5)
            axes.grid(visible=False)
            axes.set_yticks(np.arange(len(choices)), [plain(name, 28) for name in choices])
            axes.set_xticks(np.arange(len(names)), [SYMBOLS[name] for name in names])
            axes.tick_params(length=0)
        canvas.colours(panels, ScalarMappable(norm, colours), "shift in standard errors", extend="both")

    def _title(self, part: pl.DataFrame, places: list[str]) -> str:
        if len(places) == 2:
            family, field = part.select(places).row(0)
            return group_label(self.data, (family, field))
        return plain(part[places[0]][0]) if places else ""
