"""Weighted sums of the log channels of several fields of the same runs: differences, and differences of differences.

The fields of one run share its accidents, and runs of one seed share weights and batches, whatever trains them. So
the sum is taken first, run by run and step by step, and a line fitted to what it comes to: what the fields share
drops out. Its slope is the same sum of the fields' exponents. The points are runs, the scale is the unit
(:mod:`gradcascade.scaling.run_errors`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from gradcascade.scaling.fits import EXPONENTS
from gradcascade.scaling.points import Points
from gradcascade.scaling.run_errors import scatter, size_means
from gradcascade.scaling.schemas import numbers, texts, wholes
from gradcascade.scaling.window_means import RunSteps, across_scales, of_runs
from gradcascade.scaling.windows import Range
from gradcascade.tables.reasons import Reason, reason_of, told
from gradcascade.vocabulary import EXPONENT_CHANNELS, REAL

SUM_SCHEMA = (
    texts("name", "exponent")
    | numbers("value", "se", "low", "high", "p", "run_sd", "scale_sd")
    | wholes("n_scales", "n_runs", "n_steps")
    | texts("code", "reason")
)
"""Columns of the sums, in order."""

_LOGS = [f"log_{channel}" for channel in EXPONENT_CHANNELS.values()]
_PLACE = ("step", "scale", "run")
Trajectory = tuple[str, str]
"""Family and field."""


@dataclass(frozen=True)
class Combination:
    """A sum of log channels: the weight of every family and field."""

    name: str
    weights: Mapping[Trajectory, float]

    @classmethod
    def difference(cls, name: str, first: Trajectory, second: Trajectory) -> Combination:
        """The first less the second."""
        return cls(name, {first: 1.0, second: -1.0})

    def less(self, other: Combination, name: str) -> Combination:
        """Subtract the other sum."""
        keys = dict.fromkeys([*self.weights, *other.weights])
        weights = {key: self.weights.get(key, 0.0) - other.weights.get(key, 0.0) for key in keys}
        return Combination(name, {key: weight for key, weight in weights.items() if weight})


def combined(points: Points, asked: Iterable[Combination], window: Range) -> pl.DataFrame:
    """Slope of every sum over the window, with interval, p value of no slope, and the scatter it rests on.

    ``run_sd`` is what the sum of one run scatters from run to run of a scale, ``scale_sd`` what scales lie off the
    line beyond it; the first is missing where every scale has one run, and the second then holds all of the scatter.
    """
    asked = list(asked)
    logs = points.run_logs.filter(pl.col("variant") == REAL, pl.col("step").is_between(*window))
    sums = _sums(logs, asked)
    unequal = set(sums.filter(pl.col("unequal"))["_what"])
    ready = sums.filter(~pl.col("_what").is_in(unequal)).with_columns(family=pl.lit(""), field=pl.lit(""))
    known = {each.name[2]: each for each in of_runs(ready, {("", ""): window})}
    rows: list[dict[str, Any]] = []
    for each in asked:
        if each.name in unequal or each.name not in known:
            reason = told(Reason.of("unequal-fields" if each.name in unequal else "nothing-in-common"))
            rows += [{"name": each.name, "exponent": exponent} | reason for exponent in EXPONENTS]
        else:
            rows += [{"name": each.name} | row for row in slopes(known[each.name])]
    return pl.DataFrame(rows, schema=SUM_SCHEMA)


def slopes(each: RunSteps) -> list[dict[str, Any]]:
    """The columns of :data:`SUM_SCHEMA` but the name, of one trajectory of runs."""
    means = each.means()
    found = across_scales(means)
    sizes = size_means(means) if means.size.size and means.sizes > 2 else None
    run, off = scatter(sizes) if sizes is not None else (np.full(len(EXPONENTS), np.nan),) * 2
    same = bool(each.logs.size) and not np.nanmax(np.abs(each.logs)) > 0
    rows = []
    for place, (exponent, row) in enumerate(zip(EXPONENTS, found, strict=True)):
        numbers = {name: row.get(f"scales_{name}") for name in ("value", "se", "low", "high")}
        rows.append(
            {"exponent": exponent, "n_scales": row["n_scales"], "n_runs": row["n_runs"]}
            | told(reason_of(row, "scales_") or (Reason.of("identical-fields") if same else None))
            | {"n_steps": row["scales_steps"]}
            | numbers
            | {"p": None if same else two_sided(numbers["value"], numbers["se"], row["n_scales"] - 2)}
            | {"run_sd": _root(run[place]), "scale_sd": _root(off[place])}
        )
    return rows


def two_sided(value: float | None, se: float | None, degrees: int) -> float | None:
    """P value of a value of zero by Student's t; None where there is no error to judge by."""
    from scipy.special import stdtr

    if value is None or not se:
        return None
    return float(2 * stdtr(degrees, -abs(value / se)))


def _root(variance: float) -> float | None:
    return None if np.isnan(variance) else float(np.sqrt(variance))


def _sums(logs: pl.DataFrame, asked: list[Combination]) -> pl.DataFrame:
    weights = pl.DataFrame(
        [(each.name, *key, weight, len(each.weights)) for each in asked for key, weight in each.weights.items()],
        schema=texts("_what", "family", "field") | numbers("_weight") | wholes("_terms"),
        orient="row",
    )
    joined = logs.join(weights, on=["family", "field"], maintain_order="left")
    return (
        joined.group_by("_what", *_PLACE, maintain_order=True)
        .agg(
            pl.col("log_n").first(),
            *((pl.col(log) * pl.col("_weight")).sum() for log in _LOGS),
            unequal=pl.col("n").n_unique() > 1,
            _there=pl.len() == pl.col("_terms").first(),
        )
        .filter("_there")
        .sort("_what", *_PLACE)
    )
