"""What every figure of the report has: a drawing, the numbers behind it, and a sentence."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import polars as pl

from gradcascade.report.data import Group, ReportData
from gradcascade.report.figures.style import GREY, house_style, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_WIDTH = 3.55
PANEL_HEIGHT = 2.35


class ReportFigure(ABC):
    """One figure: `plot()` draws it, `frame()` holds exactly the numbers drawn.

    Parameters
    ----------
    data : ReportData
        What the report is made from.
    """

    name: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, data: ReportData):
        self.data = data

    @abstractmethod
    def frame(self) -> pl.DataFrame:
        """Collect the numbers that are drawn, one row per point.

        Returns
        -------
        polars.DataFrame
            Null where a point is missing.
        """

    @abstractmethod
    def caption(self) -> str:
        """Say in a sentence or two what the figure shows.

        Returns
        -------
        str
            Plain text.
        """

    @abstractmethod
    def missing(self) -> str | None:
        """Say why there is nothing to draw.

        Returns
        -------
        str or None
            One sentence, or None if there is something to draw.
        """

    @abstractmethod
    def _draw(self, figure: Figure) -> None: ...

    def table(self) -> pl.DataFrame:
        """Arrange the numbers for reading.

        Returns
        -------
        polars.DataFrame
            By default the frame itself.
        """
        return self.frame()

    def plot(self) -> Figure:
        """Draw the figure; where there is nothing to draw, it holds the reason in words.

        Returns
        -------
        matplotlib.figure.Figure
            Not registered with pyplot; nothing is shown.
        """
        from matplotlib.figure import Figure

        with house_style(), _any_alphabet():
            figure = Figure(figsize=(2 * PANEL_WIDTH, PANEL_HEIGHT), layout="constrained")
            reason = self.missing()
            if reason is None:
                self._draw(figure)
            else:
                figure.text(0.5, 0.5, plain(reason, 400), ha="center", va="center", wrap=True, color=GREY)
        return figure

    def save(self, folder: Path) -> dict[str, Path]:
        """Write the figure as PNG and SVG and its numbers as CSV.

        Parameters
        ----------
        folder : pathlib.Path
            An existing folder.

        Returns
        -------
        dict of str to pathlib.Path
            The files by suffix: png, svg, csv.
        """
        files = {suffix: folder / f"{self.name}.{suffix}" for suffix in ("png", "svg", "csv")}
        figure = self.plot()
        with house_style(), _any_alphabet():
            figure.savefig(files["svg"], metadata={"Date": None, "Creator": None})
            figure.set_layout_engine("none")  # what was laid out stays; doing it twice takes half of the time
            figure.savefig(files["png"], dpi=160)
        self.frame().write_csv(files["csv"])
        return files


@contextmanager
def _any_alphabet() -> Iterator[None]:
    """Let names in alphabets the drawing font lacks appear as boxes (the SVG keeps the letters)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        warnings.filterwarnings("ignore", message=".*does not support .* natively")
        yield


def group_label(data: ReportData, group: Group) -> str:
    """Name a panel: the field, after the family if there are several.

    Parameters
    ----------
    data : ReportData
        The report.
    group : tuple of str
        Family and field.

    Returns
    -------
    str
        Safe to draw.
    """
    family, field = group
    many = len(data.families) > 1
    return f"{plain(family, 22)}: {plain(field)}s" if many else f"{plain(field)}s"


def scale_label(data: ReportData, family: str, scale: str) -> str:
    """Name a scale in a legend, with its number of entries, after the family if there are several.

    Parameters
    ----------
    data : ReportData
        The report.
    family, scale : str
        Which one.

    Returns
    -------
    str
        Safe to draw.
    """
    prefix = f"{plain(family, 16)} " if len(data.families) > 1 else ""
    return f"{prefix}{plain(scale)}, N = {data.entries(family)[scale]:,}"


def panel_row(figure: Figure, data: ReportData, groups: Sequence[Group], sharey: bool = True) -> list[Axes]:
    """Lay out one panel per group, two in a row, titled, with training steps below.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Where to draw; its size is set.
    data : ReportData
        The report, for the names.
    groups : sequence of (str, str)
        Family and field of each panel.
    sharey : bool
        Same vertical axis in all panels.

    Returns
    -------
    list of matplotlib.axes.Axes
        In the order of the groups.
    """
    columns = min(2, len(groups))
    rows = -(-len(groups) // columns)
    figure.set_size_inches(2 * PANEL_WIDTH, 0.75 + rows * (PANEL_HEIGHT + 0.2))
    grid = figure.subplots(rows, columns, sharey=sharey, squeeze=False)
    panels = list(grid.flat)
    for spare in panels[len(groups) :]:
        spare.set_visible(False)
    for axes, group in zip(panels, groups, strict=False):
        axes.set_title(group_label(data, group))
        axes.grid(axis="y", color="#e3e6ea", linewidth=0.6)
    return panels[: len(groups)]


def panel_grid(figure: Figure, data: ReportData, rows: int, extra: int = 0) -> np.ndarray:
    """Lay out rows of panels with one column per (family, field), titled in the first row.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Where to draw; its size is set.
    data : ReportData
        The report.
    rows : int
        Number of rows; panels of one row share their vertical axis.
    extra : int
        Further columns at the right, without title.

    Returns
    -------
    numpy.ndarray
        Axes, rows x (groups + extra).
    """
    columns = len(data.groups) + extra
    width = PANEL_WIDTH if columns <= 2 else 2.75
    figure.set_size_inches(max(columns, 2) * width, 0.8 + rows * 1.85)
    grid = figure.subplots(rows, columns, sharex="col", sharey="row", squeeze=False)
    for axes, group in zip(grid[0], data.groups, strict=False):
        axes.set_title(group_label(data, group))
    for axes in grid.flat:
        axes.grid(axis="y", color="#e3e6ea", linewidth=0.6)
    return grid


def column(table: pl.DataFrame, name: str) -> np.ndarray:
    """Take a column as float64 with NaN where null.

    Parameters
    ----------
    table : polars.DataFrame
        Any table.
    name : str
        A numeric column.

    Returns
    -------
    numpy.ndarray
        One value per row.
    """
    return table[name].cast(pl.Float64).to_numpy()
