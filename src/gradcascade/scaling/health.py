"""Health of runs: one that leaves the other runs of its scale, or its own past, before exponents are believed.

The rule, for every quantity (logarithm of a channel or of a positive metric, else the metric itself) of a run:

- *apart*: with at least :data:`OTHERS` other runs of the scale at a step, the distance from their median is divided
  by the larger of two spreads, each 1.4826 times a median absolute distance: that of the other runs from their
  median, over all steps, and that of the run itself from it, over the steps before. A run is apart from the first of
  :data:`IN_A_ROW` steps in a row at which that is above :data:`FAR`.
- *jump*: a value outside the range of the run's own values since half of its steps so far (``step / 2`` and later, at
  least :data:`PAST` changes), by more than :data:`SUDDEN` times the root mean square of the changes in between; the
  next value must not be back in that range. Early training, which changes fast, is not judged so.

Both also need a change of more than :data:`SMALLEST` of a channel, and of more than three steps of a duration, as it
is a whole number (v_rel has it in its denominator). Distances from medians know no distribution, and one
sick run among others does not move them. How often clean runs are taken for sick is in docs/validation.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from gradcascade.scaling.points import Cascades, Points, points_of
from gradcascade.tables.inferred import INFERRED

OTHERS = 4
IN_A_ROW = 2
FAR = 10.0
PAST = 8
SUDDEN = 8.0
SMALLEST = 0.05
QUANTITIES = ("size", "duration", "v_rel", "tau")
_OF_WHOLE_STEPS = ("duration", "v_rel")

SCHEMA = INFERRED["health"].schema


@dataclass(frozen=True)
class _Found:
    code: str
    first_step: int
    last_step: int
    steps: int
    value: float
    expected: float
    distance: float


def run_health(cascades: Cascades | None = None, metrics: pl.DataFrame | None = None) -> pl.DataFrame:
    """Runs that collapse, jump or part from the other runs of their scale; see the module for the rule.

    Parameters
    ----------
    cascades : polars.DataFrame or Points, optional
        Cascades of a study; the real fields' channels are looked at.
    metrics : polars.DataFrame, optional
        Metrics with the columns ``family, scale, step, metric, value`` and, where there are several, ``run``.

    Returns
    -------
    polars.DataFrame
        A row for every finding: ``family, field`` (null for a metric), ``scale, run, quantity, code`` ("apart" or
        "jump"), ``first_step, last_step, steps`` (how many are sick), ``value, expected, distance`` (in spreads) of
        the farthest step.
    """
    series = [] if cascades is None else [_channels(points_of(cascades))]
    if metrics is not None and not metrics.is_empty():
        series.append(_metrics(metrics))
    found: list[dict[str, Any]] = []
    keys = ["family", "field", "scale", "quantity", "logged"]
    groups = pl.concat(series).group_by(keys, maintain_order=True) if series else ()
    for (family, field, scale, quantity, logged), values in groups:
        wide = values.sort("step").pivot("run", index="step", values="value", aggregate_function="mean")
        steps, table = wide["step"].to_numpy(), wide.drop("step").to_numpy().astype(float)
        least = np.full(table.shape, SMALLEST if field is not None else 0.0)
        if field is not None and quantity in _OF_WHOLE_STEPS:
            durations = values.sort("step").pivot("run", index="step", values="duration", aggregate_function="mean")
            least = np.maximum(least, np.log1p(3 / durations.drop("step").to_numpy().astype(float)))
        for column, run in enumerate(wide.columns[1:]):
            label = {"family": family, "field": field, "scale": scale, "run": run, "quantity": quantity}
            apart = _apart(steps, table, column, least[:, column])
            for one in (*apart, *_jump(steps, table[:, column], least[:, column])):
                told = asdict(one)
                if logged:
                    told |= {"value": float(np.exp(one.value)), "expected": float(np.exp(one.expected))}
                found.append(label | told)
    return pl.DataFrame(found, schema=SCHEMA)


def healthy(cascades: pl.DataFrame, findings: pl.DataFrame) -> pl.DataFrame:
    """The cascades without those of sick runs from the first step at which one is sick.

    Parameters
    ----------
    cascades : polars.DataFrame
        Cascades of a study.
    findings : polars.DataFrame
        What :func:`run_health` found.

    Returns
    -------
    polars.DataFrame
        The rows that stay, in the same columns.
    """
    if findings.is_empty():
        return cascades
    sick = findings.group_by("family", "scale", "run").agg(sick_from=pl.col("first_step").min())
    run = pl.col("run").cast(pl.String) if "run" in cascades.columns else pl.lit("0")
    keys = ["family", "scale", "run"]
    marked = cascades.with_columns(run=run).join(sick, on=keys, how="left", maintain_order="left")
    kept = marked.filter(pl.col("sick_from").is_null() | (pl.col("step") < pl.col("sick_from")))
    return kept.select(cascades.columns)


def healthy_points(points: Points, findings: pl.DataFrame) -> Points:
    """The same windows with the cascades of healthy runs alone."""
    return replace(points, rows=healthy(points.rows, findings))


def _channels(points: Points) -> pl.DataFrame:
    real = points.rows.filter(pl.col("variant") == "real")
    values = [
        real.filter(pl.col(name) > 0).select(
            "family",
            "field",
            "scale",
            "run",
            "step",
            pl.col("duration").cast(pl.Float64),
            quantity=pl.lit(name),
            logged=pl.lit(True),
            value=pl.col(name).cast(pl.Float64).log(),
        )
        for name in QUANTITIES
        if name in real.columns
    ]
    return pl.concat(values)


def _metrics(metrics: pl.DataFrame) -> pl.DataFrame:
    run = pl.col("run").cast(pl.String) if "run" in metrics.columns else pl.lit("0")
    table = metrics.filter(pl.col("value").is_finite()).with_columns(run=run)
    positive = pl.col("value").min().over("family", "metric") > 0
    return table.select(
        "family",
        pl.lit(None, dtype=pl.String).alias("field"),
        "scale",
        "run",
        pl.col("step").cast(pl.Int64),
        pl.lit(None, dtype=pl.Float64).alias("duration"),
        quantity=pl.col("metric"),
        logged=positive,
        value=pl.when(positive).then(pl.col("value").log()).otherwise(pl.col("value")),
    )


def _apart(steps: np.ndarray, table: np.ndarray, column: int, least: np.ndarray) -> Iterator[_Found]:
    own, others = table[:, column], np.delete(table, column, axis=1)
    there = np.isfinite(own) & (np.isfinite(others).sum(axis=1) >= OTHERS)
    if there.sum() < IN_A_ROW:
        return
    own, others, at, least = own[there], others[there], steps[there], least[there]
    middle = np.nanmedian(others, axis=1)
    count = others.shape[1]
    # The median of few lies close to one of them, which makes their distances from it too small.
    spread = 1.4826 * count / (count - 0.8) * np.nanmedian(np.abs(others - middle[:, None]))
    distance = np.abs(own - middle)
    own_spread = [1.4826 * np.median(distance[: place + 1]) for place in range(len(distance))]
    spread = np.maximum(spread, [0.0, *own_spread[:-1]])
    spread = np.maximum(spread, least / FAR)
    far = (distance > FAR * spread) & (distance > 0)
    runs_of = np.convolve(far, np.ones(IN_A_ROW), "valid") == IN_A_ROW
    if not runs_of.any():
        return
    start = int(np.argmax(runs_of))
    sick = np.flatnonzero(far[start:]) + start
    worst = int(sick[np.argmax(distance[sick])])
    yield _Found(
        "apart", int(at[start]), int(at[sick[-1]]), len(sick), own[worst], middle[worst],
        float(distance[worst] / spread[worst]) if spread[worst] else float("inf"),
    )  # fmt: skip


def _jump(steps: np.ndarray, values: np.ndarray, least: np.ndarray) -> Iterator[_Found]:
    there = np.isfinite(values)
    values, at, least = values[there], steps[there], least[there]
    for place in range(PAST + 1, len(values)):
        past = values[:place][at[:place] >= at[place] / 2]
        if len(past) <= PAST:
            continue
        low, high = past.min(), past.max()
        usual = float(np.sqrt(np.mean(np.diff(past) ** 2)))
        margin = max(SUDDEN * usual, least[place])
        edge = low if values[place] < low else high
        back = place + 1 < len(values) and low <= values[place + 1] <= high
        if abs(values[place] - edge) > margin and not low <= values[place] <= high and not back:
            distance = abs(values[place] - edge) / usual if usual else float("inf")
            yield _Found("jump", int(at[place]), int(at[place]), 1, values[place], edge, float(distance))
            return
