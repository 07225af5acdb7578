"""The figures for paper as the page shows them without scripts and in print: pictures within a limit of size."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gradcascade.report.data import ReportData
from gradcascade.report.drawing.figure import Drawn
from gradcascade.report.figures import all_figures
from gradcascade.report.grids import Table, as_table
from gradcascade.report.svg import inline_svg

SVG_LIMIT = 300_000
PICTURES_LIMIT = 2_000_000
"""Bytes of all pictures in a page; further ones are files beside it alone."""


@dataclass(frozen=True)
class FigureView:
    """A figure ready for the page: its words, its picture, its numbers and the endings of its files."""

    name: str
    title: str
    caption: str
    missing: str | None
    svg: str
    png: str
    table: Table
    files: tuple[str, ...]


def figure_views(data: ReportData, folder: Path) -> list[FigureView]:
    """Write every figure of a study and make it ready for the page."""
    return views_of(all_figures(data), folder)


def views_of(figures: Iterable[Drawn], folder: Path) -> list[FigureView]:
    """Write figures and make them ready for the page."""
    views, left = [], PICTURES_LIMIT
    for figure in figures:
        view = _view(figure, folder, left)
        left -= len(view.svg) + len(view.png)
        views.append(view)
    return views


def _view(figure: Drawn, folder: Path, left: int) -> FigureView:
    files, missing = figure.save(folder), figure.missing()
    endings = tuple(files)
    if missing is not None:
        return FigureView(figure.name, figure.title, "", missing, "", "", as_table(pl.DataFrame(), ""), endings)
    svg = png = ""
    if files["svg"].stat().st_size <= min(SVG_LIMIT, left):
        svg = inline_svg(files["svg"], figure.name, figure.title)
    elif 4 * files["png"].stat().st_size <= 3 * left:
        png = base64.b64encode(files["png"].read_bytes()).decode("ascii")
    table = as_table(figure.table(), f"Numbers of: {figure.title}")
    return FigureView(figure.name, figure.title, figure.caption(), None, svg, png, table, endings)
