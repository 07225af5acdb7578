"""Exponents before and after a transition that every run passes at a step of its own.

Runs that learn at different times are set side by side by their distance from their own transition. Where the phase
of a run is summarised before a line is fitted, and where after, is a convention that gives different numbers:

``means``  the mean logarithm of every run over the phase, averaged within a scale, one line through the scales;
``pooled`` one line through all points of the phase, each with the same weight;
``steps``  one line for each step after (before) the transition that every scale has, and the mean of their slopes.

Two intervals answer two questions. *Over runs*: other seeds at these very scales, by a bootstrap that draws runs
within every scale; of r runs it draws r - 1, which gives means of few runs their unbiased variance (Rao and Wu,
Journal of the American Statistical Association 83, 1988). Its quantiles are nearly those of a normal distribution, so
that 95 % intervals cover about 91 % with three runs of each of four scales. *Across scales*, for ``means`` alone: how
well the scales show a power law at all, with k - 2 degrees of freedom (:mod:`gradcascade.scaling.run_errors`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.scaling.aligned_runs import AlignedRuns, Transitions
from gradcascade.scaling.regression import CONFIDENCE, MIN_SCALES, t_quantile
from gradcascade.scaling.run_errors import size_means
from gradcascade.scaling.run_means import RunMeans
from gradcascade.scaling.window_means import slopes_across

BEFORE, AFTER, ALL, CHANGE = "before", "after", "all", "after - before"
PHASES = (BEFORE, AFTER, ALL, CHANGE)

RESAMPLES = 2000

PHASE_SCHEMA = {
    "method": pl.String, "phase": pl.String, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64,
    "scales_se": pl.Float64, "scales_low": pl.Float64, "scales_high": pl.Float64,
    "loo_low": pl.Float64, "loo_high": pl.Float64, "without_low": pl.String, "without_high": pl.String,
    "run_low": pl.Float64, "run_high": pl.Float64,
    "n_scales": pl.Int64, "n_runs": pl.Int64, "left_out": pl.Int64, "n_points": pl.Int64, "n_steps": pl.Int64,
}  # fmt: skip
"""``low, high`` over runs, ``scales_*`` across scales; ``loo_*`` the least and the largest value without one scale,
``run_*`` without one run; ``left_out`` runs that have no transition or no point on one of its sides."""

ALONG_SCHEMA = {
    "step": pl.Int64, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64, "n_scales": pl.Int64,
    "n_runs": pl.Int64,
}  # fmt: skip

Floats = NDArray[np.float64]


def phase_exponents(
    table: pl.DataFrame,
    transitions: Transitions,
    *,
    value: str = "size",
    before: int | None = None,
    after: int | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pl.DataFrame:
    """Slope of log ``value`` on log N before and after each run's own transition, over both, and what it changes by.

    Parameters
    ----------
    table : polars.DataFrame
        One row per ``scale, run, step`` with ``n`` and ``value``; rows whose value is missing or not positive count
        as not measured.
    transitions : mapping
        The step at which each (scale, run) passes; a step before it is before, it and later ones are after.
    value : str
        The column that is fitted.
    before, after : int, optional
        Only the steps less than ``before`` before, and at most ``after`` behind the transition; by default all.
    resamples, seed : int
        Of the bootstrap over runs.

    Returns
    -------
    polars.DataFrame
        Columns of :data:`PHASE_SCHEMA`, a row for every method and phase. Values are null where fewer than three
        scales have a run, and the intervals over runs where a scale has a single one.

    Raises
    ------
    InputError
        If columns are missing, a step of a run comes twice, or the sizes of a scale differ.
    """
    runs, left_out = _with_both_sides(AlignedRuns.of(table, value, transitions), table, before, after)
    sides = {BEFORE: runs.steps < 0, AFTER: runs.steps >= 0, ALL: np.ones(runs.steps.size, bool)}
    drawn = runs.drawn(resamples, seed) if runs.scale.size else None
    rows = []
    for method, slope in _METHODS.items():

        def of(phase: str, weights: Floats, slope: Slope = slope) -> Floats:
            if phase == CHANGE:
                return of(AFTER, weights) - of(BEFORE, weights)
            return slope(runs, sides[phase], weights)

        for phase in PHASES:
            inside = sides.get(phase, sides[ALL])
            there = np.isfinite(runs.logs[:, inside])
            counts = {
                "n_scales": len(runs.scales), "n_runs": len(runs.scale), "left_out": left_out,
                "n_points": int(there.sum()), "n_steps": runs.common(there).sum(),
            }  # fmt: skip
            numbers: dict[str, Any] = {}
            if len(runs.scales) >= MIN_SCALES:
                numbers = _numbers(runs, lambda weights, phase=phase, of=of: of(phase, weights), drawn)
                if method == "means":
                    numbers |= _across(runs, sides, phase)
            rows.append({"method": method, "phase": phase} | numbers | counts)
    return pl.DataFrame(rows, schema=PHASE_SCHEMA).with_columns(pl.col(pl.Float64).fill_nan(None))


def exponent_along(
    table: pl.DataFrame,
    transitions: Transitions | None = None,
    *,
    value: str = "size",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pl.DataFrame:
    """The slope at every step that all scales have, or with ``transitions`` at every distance from each run's own.

    Parameters and errors are those of :func:`phase_exponents`; runs without a transition are left out. ``low, high``
    come from the bootstrap over runs.
    """
    runs = AlignedRuns.of(table, value, transitions)
    common = runs.common(np.isfinite(runs.logs))
    if len(runs.scales) < MIN_SCALES or not common.any():
        return pl.DataFrame(schema=ALONG_SCHEMA)
    steps, logs = runs.steps[common], runs.logs[:, common]
    drawn = runs.drawn(resamples, seed)
    there = np.isfinite(logs)
    ends = np.full((2, steps.size), np.nan)
    if drawn is not None:
        found = np.concatenate([_step_slopes(runs, logs, part) for part in _in_parts(drawn)])
        several = (runs.member.T @ there > 1).all(axis=0)
        for place in np.flatnonzero(several):
            ends[:, place] = _quantiles(found[:, place])
    return pl.DataFrame(
        {
            "step": steps, "value": _step_slopes(runs, logs, runs.all_at_once())[0], "low": ends[0], "high": ends[1],
            "n_scales": [len(runs.scales)] * steps.size, "n_runs": there.sum(axis=0),
        },
        schema=ALONG_SCHEMA,
    ).with_columns(pl.col(pl.Float64).fill_nan(None))  # fmt: skip


def _with_both_sides(
    runs: AlignedRuns, table: pl.DataFrame, before: int | None, after: int | None
) -> tuple[AlignedRuns, int]:
    """Only the steps asked for, of the runs that were measured on both sides; and how many others there are."""
    inside = np.ones(runs.steps.size, bool)
    if before is not None:
        inside &= runs.steps > -before
    if after is not None:
        inside &= runs.steps <= after
    steps, logs = runs.steps[inside], runs.logs[:, inside]
    there = np.isfinite(logs)
    kept = np.flatnonzero(there[:, steps < 0].any(axis=1) & there[:, steps >= 0].any(axis=1))
    numbers, scale = np.unique(runs.scale[kept], return_inverse=True)
    names = tuple(runs.names[place] for place in kept)
    scales = tuple(runs.scales[number] for number in numbers)
    of_both = AlignedRuns(steps, logs[kept], scale, runs.log_n[numbers], scales, names)
    return of_both, table.select("scale", "run").n_unique() - len(names)


def _numbers(runs: AlignedRuns, of: Callable[[Floats], Floats], drawn: Floats | None) -> dict[str, float | str]:
    """A value with its interval over runs, and its range without each of the scales and each of the runs."""
    once = runs.all_at_once()
    found: dict[str, float | str] = {"value": float(of(once)[0])}
    if drawn is not None:
        found["low"], found["high"] = _quantiles(of(drawn))
    if len(runs.scales) > MIN_SCALES:
        without = of(1 - runs.member.T)
        if np.isfinite(without).all():
            least, most = int(np.argmin(without)), int(np.argmax(without))
            found |= {"loo_low": float(without[least]), "loo_high": float(without[most])}
            found |= {"without_low": runs.scales[least], "without_high": runs.scales[most]}
    without = of(once - np.eye(len(runs.scale)))
    if np.isfinite(without).all():
        found |= {"run_low": float(without.min()), "run_high": float(without.max())}
    return found


def _across(runs: AlignedRuns, sides: Mapping[str, NDArray[np.bool_]], phase: str) -> dict[str, float]:
    """The interval across scales of the line through the scales' means."""
    means = _phase_means(runs, sides[AFTER if phase == CHANGE else phase])
    if phase == CHANGE:
        means = means - _phase_means(runs, sides[BEFORE])
    number = RunMeans(runs.log_n[runs.scale], means[None], runs.scale, 1)
    value, se, _ = slopes_across(size_means(number))
    half = t_quantile(len(runs.scales) - 2) * float(se[0])
    return {"scales_se": float(se[0]), "scales_low": float(value[0]) - half, "scales_high": float(value[0]) + half}


def _phase_means(runs: AlignedRuns, inside: NDArray[np.bool_]) -> Floats:
    there = np.isfinite(runs.logs[:, inside])
    return np.where(there, runs.logs[:, inside], 0).sum(axis=1) / there.sum(axis=1)


def _of_means(runs: AlignedRuns, inside: NDArray[np.bool_], weights: Floats) -> Floats:
    return _step_slopes(runs, _phase_means(runs, inside)[:, None], weights)[:, 0]


def _of_all_points(runs: AlignedRuns, inside: NDArray[np.bool_], weights: Floats) -> Floats:
    """Points of one scale share log N, so that their mean with the weight of their number gives the same line."""
    counts = weights * np.isfinite(runs.logs[:, inside]).sum(axis=1)
    total = counts @ runs.member
    means = (counts * _phase_means(runs, inside)) @ runs.member / np.where(total > 0, total, 1)
    return _slope(runs.log_n, means, total)


def _of_steps(runs: AlignedRuns, inside: NDArray[np.bool_], weights: Floats) -> Floats:
    logs = runs.logs[:, inside]
    logs = logs[:, runs.common(np.isfinite(logs))]
    found = np.concatenate([_step_slopes(runs, logs, part) for part in _in_parts(weights)])
    usable = np.isfinite(found)  # a resample may lack the only runs that a scale has at a step
    mean = np.where(usable, found, 0).sum(axis=1) / np.maximum(usable.sum(axis=1), 1)
    return np.where(usable.any(axis=1), mean, np.nan)


Slope = Callable[[AlignedRuns, NDArray[np.bool_], Floats], Floats]

_METHODS: dict[str, Slope] = {"means": _of_means, "pooled": _of_all_points, "steps": _of_steps}
METHODS = tuple(_METHODS)


def _in_parts(weights: Floats, most: int = 200) -> Iterator[Floats]:
    """Some resamples at a time, to bound the memory."""
    for start in range(0, len(weights), most):
        yield weights[start : start + most]


def _step_slopes(runs: AlignedRuns, logs: Floats, weights: Floats) -> Floats:
    """Slopes over the scales' means at every step, (resamples, steps).

    NaN where a scale has a weight, and none of its runs was measured; scales without a weight are left out.
    """
    there = np.isfinite(logs)
    shares = (weights[:, None, :] * runs.member.T).reshape(-1, len(runs.scale))  # resamples times scales, runs
    shape = (len(weights), len(runs.scales), logs.shape[1])
    count, total = ((shares @ part).reshape(shape) for part in (there, np.where(there, logs, 0)))
    full = ((count > 0) | (weights @ runs.member == 0)[:, :, None]).all(axis=1)
    means = (total / np.where(count > 0, count, 1)).swapaxes(1, 2)
    return np.where(full, _slope(runs.log_n, means, (count > 0).swapaxes(1, 2).astype(np.float64)), np.nan)


def _slope(x: Floats, y: Floats, weight: Floats) -> Floats:
    """Weighted least squares over the last axis; NaN where fewer than three points have a weight."""
    total = weight.sum(axis=-1, keepdims=True)
    off = x - (weight * x).sum(axis=-1, keepdims=True) / np.where(total > 0, total, 1)
    squares = (weight * off * off).sum(axis=-1)
    fitted = (np.count_nonzero(weight, axis=-1) >= MIN_SCALES) & (squares > 0)
    return np.where(fitted, (weight * off * y).sum(axis=-1) / np.where(fitted, squares, 1.0), np.nan)


def _quantiles(values: Floats) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    if not values.size:
        return np.nan, np.nan
    low, high = np.quantile(values, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2])
    return float(low), float(high)
