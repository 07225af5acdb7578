"""Moving-block bootstrap of the mean of a correlated series, its block length chosen from the series.

The bootstrap (Kuensch 1989) draws blocks of adjacent steps instead of single ones, so that the correlation within a
block is kept. For a mean its standard error needs no drawing: it is that of the block means.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BAND = 2.0
"""A correlation is told from zero by this many times sqrt(log10 T / T) (Politis and White 2004)."""


def block_lengths(series: Floats) -> NDArray[np.int64]:
    """Choose the block length of every series.

    The rule of Politis and White (Econometric Reviews 23, 2004) with the correction of Patton, Politis and White
    (Econometric Reviews 28, 2009): a flat-top window over the correlogram, cut where five correlations in a row are
    insignificant, estimates the length with the least mean squared error of the variance.

    Parameters
    ----------
    series : numpy.ndarray
        float64, shape (series, steps).

    Returns
    -------
    numpy.ndarray
        int64, shape (series,), from 1 to a third of the steps (rounded up).
    """
    count, steps = series.shape
    longest = max(1, math.ceil(min(3 * math.sqrt(steps), steps / 3)))
    if steps < 4:
        return np.ones(count, dtype=np.int64)
    in_a_row = max(5, math.ceil(math.sqrt(math.log10(steps))))
    furthest = min(math.ceil(math.sqrt(steps)) + in_a_row, steps - 1)
    covariance = autocovariances(series, furthest)
    variance = np.where(covariance[:, 0] > 0, covariance[:, 0], 1.0)
    quiet = np.abs(covariance[:, 1:]) < _BAND * math.sqrt(math.log10(steps) / steps) * variance[:, None]
    cut = _first_run(quiet, in_a_row)
    lags = np.arange(furthest + 1)
    reach = np.minimum(2 * np.maximum(cut, 1), furthest)
    share = lags / reach[:, None]
    window = np.where(share <= 0.5, 1.0, np.clip(2 * (1 - share), 0.0, 1.0))
    both_sides = np.where(lags > 0, 2.0, 1.0) * window * covariance
    level = both_sides.sum(axis=1)
    slope = (both_sides * lags).sum(axis=1)
    level_squared = np.where(level > 0, level, np.inf) ** 2  # a level of zero says nothing: one step to a block
    length = (2 * slope**2 / (4 / 3 * level_squared) * steps) ** (1 / 3)
    return np.clip(np.rint(length), 1, longest).astype(np.int64)


def block_errors(series: Floats, lengths: NDArray[np.int64]) -> Floats:
    """Standard error of every mean by the moving-block bootstrap, in its limit of infinitely many draws.

    A bootstrap mean of T / b blocks of length b has b / T times the variance of the T - b + 1 block means. Here it is
    divided by T / b - 1 instead, the degrees of freedom of as many blocks; with one step to a block that is the usual
    error of a mean.

    Parameters
    ----------
    series : numpy.ndarray
        float64, shape (series, steps).
    lengths : numpy.ndarray
        Block length of each, shape (series,).

    Returns
    -------
    numpy.ndarray
        float64, shape (series,); NaN for fewer than two blocks.
    """
    steps = series.shape[1]
    errors = np.full(series.shape[0], np.nan)
    sums = np.cumsum(np.pad(series - series.mean(axis=1, keepdims=True), ((0, 0), (1, 0))), axis=1)
    for length in np.unique(lengths):
        blocks = steps / length
        if blocks < 2:
            continue
        rows = lengths == length
        means = (sums[rows, length:] - sums[rows, :-length]) / length
        errors[rows] = np.sqrt(means.var(axis=1) / (blocks - 1))
    return errors


def autocovariances(series: Floats, furthest: int) -> Floats:
    """Covariance of every series with itself, a number of steps later.

    Parameters
    ----------
    series : numpy.ndarray
        float64, shape (series, steps).
    furthest : int
        Largest lag, below the number of steps.

    Returns
    -------
    numpy.ndarray
        float64, shape (series, furthest + 1); sums over the pairs divided by all steps.
    """
    steps = series.shape[1]
    off = series - series.mean(axis=1, keepdims=True)
    return np.stack(
        [np.einsum("st,st->s", off[:, lag:], off[:, : steps - lag]) / steps for lag in range(furthest + 1)], axis=1
    )


def _first_run(quiet: NDArray[np.bool_], in_a_row: int) -> NDArray[np.int64]:
    """Last lag before the first run of quiet ones; where there is no run, the last lag that is not quiet."""
    lags = quiet.shape[1]
    needed = min(in_a_row, lags)
    runs = np.lib.stride_tricks.sliding_window_view(quiet, needed, axis=1).all(axis=2)
    loud = lags - np.argmax(~quiet[:, ::-1], axis=1)
    return np.where(runs.sum(axis=1) > 0, np.argmax(runs, axis=1), loud).astype(np.int64)
