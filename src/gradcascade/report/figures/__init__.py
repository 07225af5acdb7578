"""The figures of the report, in the order in which the page shows them."""

from __future__ import annotations

from gradcascade.report.data import ReportData
from gradcascade.report.figures.activity import ActivityProfiles
from gradcascade.report.figures.base import ReportFigure
from gradcascade.report.figures.compressibility import CompressibilityMap, CompressibilityOverSteps
from gradcascade.report.figures.exponents import ExponentsOverSteps
from gradcascade.report.figures.nulls import NullDecomposition
from gradcascade.report.figures.transport import PerformanceBridge, TransportOverSteps

__all__ = [
    "ActivityProfiles",
    "CompressibilityMap",
    "CompressibilityOverSteps",
    "ExponentsOverSteps",
    "NullDecomposition",
    "PerformanceBridge",
    "TransportOverSteps",
    "all_figures",
]

KINDS: tuple[type[ReportFigure], ...] = (
    TransportOverSteps,
    ExponentsOverSteps,
    CompressibilityOverSteps,
    CompressibilityMap,
    NullDecomposition,
    ActivityProfiles,
    PerformanceBridge,
)


def all_figures(data: ReportData) -> list[ReportFigure]:
    """Make every figure of the report; nothing is drawn yet.

    Parameters
    ----------
    data : ReportData
        What the report is made from.

    Returns
    -------
    list of ReportFigure
        In the order of the page.
    """
    return [kind(data) for kind in KINDS]
