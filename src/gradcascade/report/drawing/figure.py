"""What every figure has: a drawing, the numbers behind it, and a sentence."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import polars as pl

from gradcascade.csvfile import write_csv
from gradcascade.errors import InputError
from gradcascade.report import words
from gradcascade.report.data import Group, ReportData, of_group
from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.quantities import no_exponents
from gradcascade.report.drawing.style import GREY, WIDTHS, house_style, plain
from gradcascade.report.tokens import with_tokens

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = ("svg", "pdf", "png", "csv")
PNG_DPI = 300
RASTER_DPI = 300

Width = Literal["one", "two"]


class Drawn(ABC):
    """What can be drawn: `plot()` draws exactly the numbers of `frame()`, whatever they come from."""

    name: ClassVar[str]
    title: ClassVar[str]

    @abstractmethod
    def _frame(self) -> pl.DataFrame: ...

    @abstractmethod
    def _draw(self, canvas: Canvas) -> None: ...

    @abstractmethod
    def _caption(self) -> str: ...

    def _missing(self) -> str | None:
        return None

    def _table(self) -> pl.DataFrame:
        return self.frame()

    @cached_property
    def _numbers(self) -> pl.DataFrame:
        return self._frame()

    def frame(self) -> pl.DataFrame:
        """Numbers that are drawn, no more and no fewer."""
        return self._numbers

    def table(self) -> pl.DataFrame:
        """Numbers, arranged for reading."""
        return self._table()

    def caption(self) -> str:
        """Say in a sentence or two what the figure shows."""
        return self._caption()

    def missing(self) -> str | None:
        """Say why there is nothing to draw."""
        return self._missing()

    def plot(self, width: Width = "two") -> Figure:
        """Draw the figure; where there is nothing to draw, it holds the reason in words."""
        from matplotlib.figure import Figure

        from gradcascade.report.drawing.steady_layout import SteadyLayout

        if width not in WIDTHS:
            raise InputError(f'the width of a figure is "one" or "two" columns, got {width!r}; choose one of these')
        with house_style(), _any_alphabet():
            figure = Figure(figsize=(WIDTHS[width], 0.4 * WIDTHS[width]))
            # A little room at the sides: new ticks can move a label outwards after the layout has measured it.
            figure.set_layout_engine(SteadyLayout(rect=(0.005, 0.0, 0.99, 1.0)))
            reason = self.missing()
            if reason is None:
                canvas = Canvas(figure, width)
                self._draw(canvas)
                canvas.finish()
            else:
                figure.set_size_inches(WIDTHS[width], 1.4)
                figure.text(0.5, 0.5, _folded(reason, width), ha="center", va="center", color=GREY)
        return figure

    def save(self, folder: Path, width: Width = "two") -> dict[str, Path]:
        """Write the figure as SVG, PDF (fonts embedded) and PNG (300 dots per inch), and its numbers as CSV."""
        files = {suffix: folder / f"{self.name}.{suffix}" for suffix in SUFFIXES}
        figure = self.plot(width)
        with house_style(), _any_alphabet():
            figure.savefig(files["svg"], metadata={"Date": None, "Creator": None}, dpi=RASTER_DPI)
            # What was laid out stays; with any engine, even "none", Matplotlib draws twice for every file.
            figure.set_layout_engine(None)
            figure.savefig(files["pdf"], metadata={"CreationDate": None, "Creator": None, "Producer": None})
            figure.savefig(files["png"], dpi=PNG_DPI)
        write_csv(self.frame(), files["csv"])
        return files


class ReportFigure(Drawn):
    """One figure of a study's report, in a module of report/figures.

    A subclass says what is drawn (`_frame`) and draws it (`_draw`); where the words of words/figures.toml or `needs`
    do not serve, it has its own `_caption` or `_missing`, and `_table` where the frame is to be arranged for reading.
    """

    order: ClassVar[float]
    """Place on the page."""
    needs: ClassVar[tuple[str, str]]
    """A column of numbers without which there is nothing to draw, and why if it is not for want of exponents."""

    def __init__(self, data: ReportData):
        self.data = data

    @cached_property
    def _numbers(self) -> pl.DataFrame:
        frame = self._frame()
        if {"family", "step"} <= set(frame.columns) and not self.data.tokens.is_empty():
            return with_tokens(frame, self.data.tokens)  # beside the steps
        return frame

    @property
    def metric(self) -> str:
        """The external metric drawn, "" where there is none."""
        return self.data.shown_metric or ""

    @property
    def _drawn(self) -> list[str]:
        """The variants that most figures draw: the real fields and one null."""
        return [name for name in ("real", self.data.baseline) if name in self.data.variants]

    def _caption(self) -> str:
        return words.caption(self.name, null=self.data.baseline, metric=self.data.shown_metric)

    def _missing(self) -> str | None:
        column, otherwise = self.needs
        known = self.frame()[column].is_not_null().any()
        return None if known else no_exponents(self.data) or otherwise

    def _wide(self, index: Sequence[str], on: str, values: str, order: Sequence[str]) -> pl.DataFrame:
        """The frame with one column for each entry of `on`, in the given order."""
        wide = self.frame().pivot(on, index=list(index), values=values).sort(index)
        return wide.select(*index, *(name for name in order if name in wide.columns[len(index) :]))

    def _panels(
        self, canvas: Canvas, row: np.ndarray, frame: pl.DataFrame, window: bool = False, zero: bool = False
    ) -> Iterator[tuple[Axes, Group, pl.DataFrame]]:
        """Panels of a row, one per family and field, with their rows of the frame; the window and zero behind."""
        for axes, group in zip(row, self.data.groups, strict=True):
            if window:
                canvas.window(axes, self.data.windows[group])
            if zero:
                canvas.zero(axes)
            yield axes, group, of_group(frame, group)

    def _in_windows(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows whose step lies in the window of their family and field, in the order of these."""
        parts = [of_group(rows, g).filter(pl.col("step").is_between(*w)) for g, w in self.data.windows.items()]
        return pl.concat([rows.clear(), *parts])


def _folded(text: str, width: Width) -> str:
    from textwrap import fill

    return fill(plain(text, 600), 56 if width == "one" else 110)


@contextmanager
def _any_alphabet() -> Iterator[None]:
    """Let names in alphabets the drawing font lacks appear as boxes (the SVG keeps the letters)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        warnings.filterwarnings("ignore", message=".*does not support .* natively")
        yield
