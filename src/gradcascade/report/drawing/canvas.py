"""A figure while it is drawn: panels in blocks, marks made from rows of a table, one legend below all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcascade.report.drawing.axes import whole_numbers
from gradcascade.report.drawing.marks import mark_cut
from gradcascade.report.drawing.style import (
    GREY,
    GRID,
    GUIDE,
    RULE,
    WIDTHS,
    WINDOW_COLOUR,
    legend_below,
    line_key,
    window_key,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE_HEIGHT, TICKS_HEIGHT = 0.22, 0.36
"""Inches that a title, and the ticks and label of a step axis, take beside the panels."""


class Canvas:
    """What a figure draws on."""

    def __init__(self, figure: Figure, width: str):
        self.figure = figure
        self.narrow = width == "one"
        self._width = WIDTHS[width]
        self._per_row = 1
        self.height = 1.0
        self._keys: dict[str, Any] = {}

    def panels(
        self,
        titles: Sequence[str],
        rows: int = 1,
        sharey: bool = True,
        height: float | None = None,
        per_row: int | None = None,
        last_wide: bool = False,
        sharex: bool = True,
    ) -> np.ndarray:
        """Lay out one column of panels per title, in as many blocks below each other as the width asks for."""
        most = (2 if rows > 1 else 1) if self.narrow else (4 if rows > 1 else 2)
        self._per_row = per_row = min(per_row or most, len(titles))
        blocks = -(-len(titles) // per_row)
        tall = height or ((1.25 if self.narrow else 1.45) if rows > 1 else (1.75 if self.narrow else 2.2))
        labels = 1 if sharex else rows
        self.height = blocks * (rows * (tall + 0.06) + TITLE_HEIGHT + labels * TICKS_HEIGHT)
        grid = self.figure.add_gridspec(blocks * rows, per_row)
        axes = np.empty((rows, len(titles)), dtype=object)
        for column, title in enumerate(titles):
            block, place = divmod(column, per_row)
            alone = last_wide and place == 0 and column == len(titles) - 1
            for row in range(rows):
                panel = self.figure.add_subplot(
                    grid[block * rows + row, slice(None) if alone else place],
                    sharex=axes[0, column] if row and sharex else None,
                    sharey=axes[row, 0] if sharey and column else None,
                )
                panel.tick_params(labelleft=not sharey or place == 0, labelbottom=row == rows - 1 or not sharex)
                panel.grid(axis="y", color=GRID, linewidth=0.6)
                axes[row, column] = panel
            axes[0, column].set_title(title, y=1.0)  # fixed: to look for room takes a tenth of the time
        return axes

    def label_rows(self, axes: np.ndarray, labels: Sequence[str]) -> None:
        """Label the vertical axes, once in each block."""
        for row, label in zip(axes, labels, strict=True):
            for panel in row[:: self._per_row]:
                panel.set_ylabel(label)

    def window(self, axes: Axes, window: tuple[int, int]) -> None:
        """Shade the stable window behind the data."""
        axes.axvspan(window[0], window[1], color=WINDOW_COLOUR, linewidth=0, zorder=0, label=GUIDE)
        self._keys.setdefault("window", window_key())

    def counted(self, row: np.ndarray, label: str) -> None:
        """Put whole numbers on the horizontal axes of a row, as many as its panels have room for."""
        ticks = max(4, int(2.2 * self._width / self._per_row - 0.7))
        for axes in row:
            whole_numbers(axes, label, ticks)

    def zero(self, axes: Axes) -> None:
        """Draw the line at zero."""
        axes.axhline(0, color=RULE, linewidth=0.8, label=GUIDE)

    def colours(self, panels: np.ndarray, shades: Any, label: str, **options: Any) -> None:
        """Draw a scale of colours, beside the panels or, in one column, below them."""
        place = "bottom" if self.narrow else "right"
        axes = panels.ravel().tolist()
        bar = self.figure.colorbar(
            shades, ax=axes, location=place, pad=0.015, aspect=24 if self.narrow else 14, **options
        )
        bar.set_label(label)
        if self.narrow:
            self.height += 0.4

    def key(self, label: str, **style: Any) -> None:
        """Put a line into the legend, once."""
        self._keys.setdefault(label, line_key(**style))

    def finish(self) -> None:
        """Mark intervals that the limits cut, set the height and draw the legend."""
        if any([mark_cut(axes) for axes in self.figure.axes]):
            self.key("goes on beyond the axis", color=GREY, marker=">", markersize=3.4, linestyle="none")
        if "window" in self._keys:
            self._keys["window"] = self._keys.pop("window")
        lines = legend_below(self.figure, [(artist, label) for label, artist in self._keys.items()], self._width)
        self.figure.set_size_inches(self._width, self.height + lines)
