"""One file is all it takes to add a figure: the page, its files and gc.figures have it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from toys import add_module

import gradcascade as gc
from gradcascade.report import figure_views
from gradcascade.report.data import ReportData
from gradcascade.report.figures import FIGURES, all_figures
from gradcascade.report.page import write_report

TOY = """
import polars as pl

from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.marks import column, draw_dots
from gradcascade.report.drawing.quantities import FIELD_STYLES, group_labels


class Toy(ReportFigure):
    name = "toy-sizes"
    title = "Sizes of the toy"
    order = 15

    def _frame(self):
        return self.data.means.filter(pl.col("variant") == "real").select("family", "field", "n", "size_per_n")

    def _caption(self):
        return "Size per entry against N, of a toy."

    def _missing(self):
        return None

    def _draw(self, canvas):
        panels = canvas.panels(group_labels(self.data))
        for axes, group, rows in self._panels(canvas, panels[0], self.frame()):
            draw_dots(axes, column(rows, "n"), column(rows, "size_per_n"), FIELD_STYLES[group[1]])

"""


def test_a_figure_is_one_file(data: ReportData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = list(FIGURES)
    add_module(monkeypatch, tmp_path / "more", "gradcascade.report.figures", "toy", TOY)
    assert list(FIGURES) == [*before[:1], "toy-sizes", *before[1:]]
    assert gc.figures(data.cascades)["toy-sizes"].plot().axes
    shown = ("transport", "toy-sizes")
    monkeypatch.setattr(figure_views, "all_figures", lambda made: [f for f in all_figures(made) if f.name in shown])
    page = write_report(data, tmp_path / "report")
    html = page.read_text(encoding="utf-8")
    assert html.index('id="transport"') < html.index('id="toy-sizes"')
    assert "Size per entry against N, of a toy." in html
    files = page.parent / "figures"
    assert {path.suffix for path in files.glob("toy-sizes.*")} == {".svg", ".pdf", ".png", ".csv"}
    assert pl.read_csv(files / "toy-sizes.csv").columns == ["family", "field", "n", "size_per_n"]
