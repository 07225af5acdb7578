"""The figures of the report, one module each: a module that declares one as FIGURE is all a new figure takes.

Every one has `plot()`, a Matplotlib figure as wide as one or two columns of a journal; `frame()`, the numbers drawn;
`caption()`, its words; `missing()`, why there is nothing to draw; and `save()`, its files.
"""

from __future__ import annotations

from typing import Any

from gradcascade.registry import Registry
from gradcascade.report.data import ReportData
from gradcascade.report.drawing.figure import ReportFigure

# The entries are classes, whose class is `type`.
FIGURES: Registry[Any] = Registry("gradcascade.report.figures", type, "figure", attribute="FIGURE")  # pyright: ignore
"""Every figure by name, in the order of the page."""


def all_figures(data: ReportData) -> list[ReportFigure]:
    """Make every figure of the report; nothing is drawn yet."""
    return [kind(data) for kind in FIGURES.values()]
