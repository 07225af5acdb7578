"""The figures of the report, in the order in which the page shows them, and that of the calibration.

Every one has `plot()`, a Matplotlib figure as wide as one or two columns of a journal; `frame()`, the numbers drawn;
`caption()`, its words; `missing()`, why there is nothing to draw; and `save()`, its files.
"""

from __future__ import annotations

from gradcascade.report.data import ReportData
from gradcascade.report.figures.activity import ActivityAtSteps, ActivityProfiles
from gradcascade.report.figures.base import Drawing, ReportFigure
from gradcascade.report.figures.calibration import Calibration
from gradcascade.report.figures.compressibility import (
    CompressibilityMap,
    CompressibilityOverSteps,
    CompressibilityPlane,
)
from gradcascade.report.figures.exponents import ExponentsOverSteps
from gradcascade.report.figures.fields import GradientAgainstUpdate
from gradcascade.report.figures.nulls import NullBaselines, NullDecomposition, Tertiles
from gradcascade.report.figures.performance import PerformanceBridge, PerformanceByScale
from gradcascade.report.figures.robustness import RobustnessMap
from gradcascade.report.figures.transport import TransportOverSteps
from gradcascade.report.figures.window import WindowSummary

__all__ = [
    "ActivityAtSteps",
    "ActivityProfiles",
    "Calibration",
    "CompressibilityMap",
    "CompressibilityOverSteps",
    "CompressibilityPlane",
    "Drawing",
    "ExponentsOverSteps",
    "GradientAgainstUpdate",
    "NullBaselines",
    "NullDecomposition",
    "PerformanceBridge",
    "PerformanceByScale",
    "ReportFigure",
    "RobustnessMap",
    "Tertiles",
    "TransportOverSteps",
    "WindowSummary",
    "all_figures",
]

KINDS: tuple[type[ReportFigure], ...] = (
    TransportOverSteps,
    WindowSummary,
    ExponentsOverSteps,
    CompressibilityOverSteps,
    CompressibilityMap,
    CompressibilityPlane,
    NullBaselines,
    NullDecomposition,
    Tertiles,
    PerformanceBridge,
    PerformanceByScale,
    ActivityProfiles,
    ActivityAtSteps,
    GradientAgainstUpdate,
    RobustnessMap,
)


def all_figures(data: ReportData) -> list[ReportFigure]:
    """Make every figure of the report; nothing is drawn yet."""
    return [kind(data) for kind in KINDS]
