"""The layout of a figure: Matplotlib's constrained one, the same at every run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.layout_engine import ConstrainedLayoutEngine

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DIGITS = 9


class SteadyLayout(ConstrainedLayoutEngine):
    """Constrained layout, rounded: its solver's last bits vary from run to run and would reach the files."""

    def execute(self, fig: Figure) -> object:
        """Lay the figure out."""
        done = super().execute(fig)
        for axes in fig.axes:
            inside = axes.get_in_layout()
            x, y, width, height = (round(float(value), DIGITS) for value in axes.get_position(original=True).bounds)
            axes.set_position((x, y, width, height), which="original")
            axes.set_in_layout(inside)
        return done
