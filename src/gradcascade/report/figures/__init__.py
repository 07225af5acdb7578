"""The figures of the report, one module each; a module with a `ReportFigure` is all that a new figure takes."""

from typing import Any

from gradcascade.registry import Registry
from gradcascade.report.data import ReportData
from gradcascade.report.drawing.figure import ReportFigure

FIGURES: Registry[Any] = Registry("gradcascade.report.figures", ReportFigure, "figure", subclasses=True)
"""Every figure by name, in the order of the page."""


def all_figures(data: ReportData) -> list[ReportFigure]:
    """Make every figure of the report; nothing is drawn yet."""
    return [kind(data) for kind in FIGURES.values()]
