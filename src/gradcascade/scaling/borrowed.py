"""Intervals of families with one run of each scale, with the scatter between runs of a family where it is known.

Nothing measured says that runs of one family scatter as those of another, nor that its scales follow the law
otherwise: if its runs scatter 1.5 times as much, such an interval of 95 % covers 81 to 83 %
(benchmarks/interval_coverage.py). So they are only given where asked for, and no verdict rests on them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from gradcascade.errors import InputError
from gradcascade.fields.kinds import field_plural
from gradcascade.scaling.fits import EXPONENTS
from gradcascade.scaling.points import Cascades, points_of
from gradcascade.scaling.regression import t_quantile
from gradcascade.scaling.run_errors import size_means
from gradcascade.scaling.schemas import numbers, texts, wholes
from gradcascade.scaling.window_means import slopes_across, trajectories
from gradcascade.scaling.windows import Window
from gradcascade.tables.reasons import Reason, told

BORROWED_SCHEMA = (
    texts("family", "field", "variant", "exponent", "lender")
    | numbers("value", "run_sd", "se", "low", "high")
    | wholes("degrees", "n_scales", "n_runs")
    | texts("code", "reason")
)
"""Columns of the borrowed intervals, in order."""


def borrowed_intervals(
    cascades: Cascades,
    lender: Cascades,
    window: Window = None,
    lender_window: Window = None,
) -> pl.DataFrame:
    """Slopes across scales, with the SD between runs of the family of ``lender`` that has several of a scale.

    That SD is of the runs' means over the lender's window, of the same kind of field and variant, pooled over its
    scales; its ``degrees`` of freedom are those of the interval. Scales are taken to lie on the power law but for
    their runs.
    """
    theirs = points_of(lender, lender_window)
    known: dict[tuple[str, str], tuple[str, np.ndarray, int]] = {}
    for each in trajectories(theirs):
        means = each.means()
        sizes = size_means(means) if means.size.size else None
        free = 0 if sizes is None else int((sizes.runs - 1).sum())
        if sizes is None or not free:
            continue
        family, key = each.name[0], each.name[1:]
        if key in known and known[key][0] != family:
            raise InputError(
                f"both {known[key][0]} and {family} have several runs of a scale; give a study of one family to "
                f"borrow from"
            )
        several = sizes.runs > 1
        pooled = (sizes.variance[:, several] * (sizes.runs[several] - 1)).sum(axis=1) / free
        known[key] = family, np.sqrt(pooled), free
    if not known:
        raise InputError(
            "no scale of the study to borrow from has several runs; its runs' scatter is not known either"
        )
    return pl.DataFrame(
        [row for each in trajectories(points_of(cascades, window)) for row in _rows(each, known)],
        schema=BORROWED_SCHEMA,
    )


def _rows(each: Any, known: dict[tuple[str, str], tuple[str, np.ndarray, int]]) -> list[dict[str, Any]]:
    names, means = each.names, each.means()
    counts = {"n_scales": means.sizes, "n_runs": int(means.size.size)}
    reason = means.reason
    if reason is None and each.name[1:] not in known:
        reason = Reason.of("no-runs-to-lend", what=f"{field_plural(each.name[1])}, {each.name[2]}")
    if reason := reason or means.no_line:
        return [names | {"exponent": exponent} | told(reason) | counts for exponent in EXPONENTS]
    lender, sd, free = known[each.name[1:]]
    sizes = size_means(means)
    x = sizes.log_n - sizes.log_n.mean()
    se = sd * np.sqrt(((x / (x @ x)) ** 2 / sizes.runs).sum())
    half = t_quantile(free) * se
    value = slopes_across(sizes)[0]
    return [
        names
        | {
            "exponent": exponent,
            "lender": lender,
            "value": float(value[i]),
            "run_sd": float(sd[i]),
            "se": float(se[i]),
        }
        | {"low": float(value[i] - half[i]), "high": float(value[i] + half[i]), "degrees": free}
        | counts
        for i, exponent in enumerate(EXPONENTS)
    ]
