"""The distribution of a value over all snapshots: how it changes with N, and its tail.

The distribution of each scale is that of all steps of all its runs. What scales as N^D can be meant in several ways,
which agree where the distributions of all scales are one curve with N^D as its unit:

``largest``  the largest value of all;
``run-largest``  the geometric mean over runs of each run's largest;
``mean``  the mean;
``ratio``  the mean square over the mean, which the largest values rule;
``collapse``  the D that brings the quantiles of all scales together: the mean over :data:`LEVELS` of their slopes.

The tail is described by the exponent of the share of values at least as large, P(S >= s) ~ s^-gamma:

``tail``  Hill's estimator (Annals of Statistics 3, 1975) from the largest tenth of every scale, averaged over scales
by its inverse;
``tail-line``  least squares of log P on log s between the median and the 99th percentile, averaged over scales.

A power law is not tested for by either; a distribution narrower than a factor of ten has no tail to speak of.

``misfit`` is the root mean square distance of the quantiles of the scales from one curve after the collapse, in
natural logarithms, and ``spread`` the mean standard deviation of the logarithms within a scale, to compare it with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.scaling.regression import CONFIDENCE, MIN_SCALES

LEVELS = np.arange(0.05, 1.0, 0.05)
"""Quantiles that are compared between scales."""

TOP = 0.1
"""Share of the values that are the tail."""

RESAMPLES = 500

SCHEMA = {"statistic": pl.String, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64}
CURVE_SCHEMA = {"scale": pl.String, "n": pl.Int64, "value": pl.Float64, "share": pl.Float64}

Floats = NDArray[np.float64]
Runs = Sequence[Floats]
"""Logarithms of one scale: an array of the steps of every run."""


def size_distribution(
    table: pl.DataFrame,
    *,
    value: str = "size",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pl.DataFrame:
    """Exponents of the distribution of a value, with intervals over runs.

    Parameters
    ----------
    table : polars.DataFrame
        One row per ``scale, run`` and step with ``n`` and ``value``; values that are not positive are left out.
    value : str
        The column.
    resamples, seed : int
        Of the bootstrap, which draws as many runs of every scale as it has.

    Returns
    -------
    polars.DataFrame
        Columns of :data:`SCHEMA`, a row for each of :data:`STATISTICS`. No rows with fewer than three scales; no
        intervals where a scale has one run.
    """
    log_n, scales = _by_scale(table, value)
    if len(scales) < MIN_SCALES:
        return pl.DataFrame(schema=SCHEMA)
    found = {name: of(log_n, scales) for name, of in STATISTICS.items()}
    ends = dict.fromkeys(found, (np.nan, np.nan))
    if min(len(runs) for runs in scales) > 1:
        rng = np.random.default_rng(seed)
        drawn = [
            [[runs[place] for place in rng.integers(0, len(runs), len(runs))] for runs in scales]
            for _ in range(resamples)
        ]
        for name, of in STATISTICS.items():
            values = np.array([of(log_n, each) for each in drawn])
            if (known := values[np.isfinite(values)]).size:
                low, high = np.quantile(known, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2])
                ends[name] = float(low), float(high)
    rows = [(name, number, *ends[name]) for name, number in found.items()]
    return pl.DataFrame(rows, SCHEMA, orient="row").with_columns(pl.col(pl.Float64).fill_nan(None))


def survival(table: pl.DataFrame, *, value: str = "size") -> pl.DataFrame:
    """The share of values at least as large as each, by scale: columns of :data:`CURVE_SCHEMA`."""
    rows = table.filter(pl.col(value) > 0).sort("n", value)
    counted = rows.group_by("scale", "n", value, maintain_order=True).agg(pl.len().alias("count"))
    at_least = pl.col("count").sum().over("scale") - pl.col("count").cum_sum().over("scale") + pl.col("count")
    share = (at_least / pl.col("count").sum().over("scale")).alias("share")
    return counted.select("scale", "n", pl.col(value).cast(pl.Float64).alias("value"), share)


def _by_scale(table: pl.DataFrame, value: str) -> tuple[Floats, list[Runs]]:
    rows = table.filter(pl.col(value) > 0).sort("n", "scale", "run")
    log_n, scales = [], []
    for (n, _), own in rows.group_by("n", "scale", maintain_order=True):
        log_n.append(np.log(float(str(n))))
        runs = own.group_by("run", maintain_order=True).agg(pl.col(value).cast(pl.Float64).log())
        scales.append([np.asarray(logs) for logs in runs[value].to_list()])
    return np.array(log_n), scales


def _slope(log_n: Floats, y: Floats) -> float:
    off = log_n - log_n.mean()
    return float(off @ y / (off @ off))


def _together(runs: Runs) -> Floats:
    return np.concatenate(runs)


def _largest(log_n: Floats, scales: Sequence[Runs]) -> float:
    return _slope(log_n, np.array([_together(runs).max() for runs in scales]))


def _run_largest(log_n: Floats, scales: Sequence[Runs]) -> float:
    return _slope(log_n, np.array([float(np.mean([logs.max() for logs in runs])) for runs in scales]))


def _mean(log_n: Floats, scales: Sequence[Runs]) -> float:
    return _slope(log_n, np.log(np.array([np.exp(_together(runs)).mean() for runs in scales], np.float64)))


def _ratio(log_n: Floats, scales: Sequence[Runs]) -> float:
    sizes = [np.exp(_together(runs)) for runs in scales]
    return _slope(log_n, np.log(np.array([(size**2).mean() / size.mean() for size in sizes], np.float64)))


def _quantiles(scales: Sequence[Runs]) -> Floats:
    return np.stack([np.quantile(_together(runs), LEVELS) for runs in scales])


def _collapse(log_n: Floats, scales: Sequence[Runs]) -> float:
    return _slope(log_n, _quantiles(scales).mean(axis=1))


def _misfit(log_n: Floats, scales: Sequence[Runs]) -> float:
    moved = _quantiles(scales) - _collapse(log_n, scales) * log_n[:, None]
    return float(np.sqrt(np.mean((moved - moved.mean(axis=0)) ** 2)))


def _spread(_: Floats, scales: Sequence[Runs]) -> float:
    return float(np.mean([_together(runs).std() for runs in scales]))


def _tail(_: Floats, scales: Sequence[Runs]) -> float:
    inverse = []
    for runs in scales:
        logs = np.sort(_together(runs))
        top = max(int(TOP * logs.size), 1)
        inverse.append(np.mean(logs[-top:] - logs[-top - 1]) if logs.size > top else np.nan)
    mean = float(np.mean(inverse))
    return 1 / mean if mean > 0 else np.nan


def _tail_line(_: Floats, scales: Sequence[Runs]) -> float:
    slopes = []
    for runs in scales:
        logs = np.sort(_together(runs))
        share = 1 - np.arange(logs.size) / logs.size
        inside = (logs >= np.quantile(logs, 0.5)) & (logs <= np.quantile(logs, 0.99))
        x = logs[inside]
        slopes.append(-_slope(x, np.log(share[inside])) if np.ptp(x) > 0 else np.nan)
    return float(np.mean(slopes))


STATISTICS: dict[str, Callable[[Floats, Sequence[Runs]], float]] = {
    "largest": _largest,
    "run-largest": _run_largest,
    "mean": _mean,
    "ratio": _ratio,
    "collapse": _collapse,
    "misfit": _misfit,
    "spread": _spread,
    "tail": _tail,
    "tail-line": _tail_line,
}
