"""The answers of the page: what :func:`gradcascade.infer` found, in words and in tables to read."""

import polars as pl

from gradcascade.report.answers import (
    checks,
    collapse,
    further_runs,
    health,
    null_draws,
    other_choices,
    outside,
    regimes,
    rounding,
    shapes,
    stable_windows,
    tensor_orders,
)
from gradcascade.report.answers.base import Answer
from gradcascade.report.answers.lead import lead
from gradcascade.report.data import ReportData

__all__ = ["Answer", "all_answers", "lead"]

KNOWN = {
    *("verdicts", "intervals", "differences", "contrasts", "null_differences", "null_errors", "found_windows"),
    *("leave_one_out", "curvature", "window_curvature", "laws", "window_laws", "compressibility", "weighted"),
    *(
        "variances",
        "designs",
        "lack_of_fit",
        "window_lack_of_fit",
        "runs",
        "continuous",
        "rounding",
        "associations",
        "metric_exponents",
    ),
    *("collapse", "window_collapse", "duration_verdicts", "duration_intervals", "run_intervals"),
    *("health", "healthy_intervals", "local_exponents", "corrections", "design_curves"),
}
"""Tables of :func:`gradcascade.infer` that an answer below puts into words."""

MAKERS = (
    outside.published_answer,
    health.health_answer,
    regimes.verdict_answer,
    regimes.contrast_answer,
    regimes.interval_answer,
    regimes.difference_answer,
    null_draws.null_draw_answer,
    stable_windows.window_answer,
    checks.leave_one_out_answer,
    shapes.curvature_answer,
    shapes.correction_answer,
    shapes.law_answer,
    further_runs.variance_answer,
    further_runs.design_answer,
    checks.compressibility_answer,
    rounding.rounding_answer,
    collapse.collapse_answer,
    checks.weighted_answer,
    other_choices.robustness_answer,
    tensor_orders.order_answer,
    outside.metric_answer,
    outside.association_answer,
)


def all_answers(data: ReportData) -> list[Answer]:
    """Put everything that was inferred into words."""
    if data.cascades.is_empty():
        return []
    made = [answer for make in MAKERS if (answer := make(data)) is not None]
    return made + [_plain(name, table) for name, table in data.answers.items() if name not in KNOWN]


def _plain(name: str, table: pl.DataFrame) -> Answer:
    return Answer(name.replace("_", "-"), name.replace("_", " ").capitalize(), (), table, ())
