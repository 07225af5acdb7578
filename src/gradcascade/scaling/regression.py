"""Ordinary least squares of many small groups at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

MIN_SCALES = 3
"""Fewest points of a fit: two points always lie on a line (arXiv:2605.02968)."""

CONFIDENCE = 0.95
"""Coverage of the reported intervals."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Lines:
    """Straight lines, one per group."""

    value: Floats
    se: Floats
    low: Floats
    high: Floats
    r2: Floats
    n_points: NDArray[np.int64]


def t_quantiles(degrees: NDArray[Any], confidence: float = CONFIDENCE) -> Floats:
    """Half widths, in standard errors, of two-sided t intervals."""
    from scipy.stats import t

    # A table has few different numbers of scales, and the quantile is the slow part of a fit.
    distinct, place = np.unique(degrees, return_inverse=True)
    return np.asarray(t.ppf(0.5 + confidence / 2, distinct), dtype=np.float64)[place].reshape(degrees.shape)


@lru_cache
def t_quantile(degrees: float, confidence: float = CONFIDENCE) -> float:
    """Half width, in standard errors, of a two-sided t interval; a search for a power asks for it again and again."""
    from scipy.stats import t

    return float(t.ppf(0.5 + confidence / 2, degrees))


def group_means(values: Floats, starts: NDArray[np.intp]) -> Floats:
    """Means of the runs of rows that begin at ``starts``."""
    return np.add.reduceat(values, starts) / _lengths(values, starts) if starts.size else np.zeros(0)


def fit_lines(x: Floats, y: Floats, starts: NDArray[np.intp]) -> Lines:
    """Fit ``y = slope x + c`` by least squares within every group, over centred values to keep the digits."""
    count = _lengths(x, starts)
    if not starts.size:
        return Lines(*(np.zeros(0) for _ in range(5)), n_points=count)
    dx = x - np.repeat(group_means(x, starts), count)
    dy = y - np.repeat(group_means(y, starts), count)
    one_x = np.maximum.reduceat(x, starts) == np.minimum.reduceat(x, starts)
    fitted = (count >= MIN_SCALES) & ~one_x
    sxx = np.where(fitted, np.add.reduceat(dx * dx, starts), 1.0)
    syy = np.add.reduceat(dy * dy, starts)
    # Logarithms of equal ratios differ in their last bits; that is no variance to explain.
    rounding = 8 * np.finfo(np.float64).eps * (1 + np.maximum.reduceat(np.abs(y), starts))
    flat = np.maximum.reduceat(np.abs(dy), starts) <= rounding
    slope = np.where(flat, 0.0, np.add.reduceat(dx * dy, starts) / sxx)
    rest = dy - np.repeat(slope, count) * dx
    rss = np.where(flat, 0.0, np.add.reduceat(rest * rest, starts))
    degrees = np.maximum(count - 2, 1)
    se = np.sqrt(rss / degrees / sxx)
    half = t_quantiles(degrees) * se
    r2 = np.where(flat, np.nan, np.clip(1 - rss / np.where(flat, 1.0, syy), 0.0, 1.0))
    columns = (slope, se, slope - half, slope + half, r2)
    return Lines(*(np.where(fitted, column, np.nan) for column in columns), n_points=count)


def _lengths(values: Floats, starts: NDArray[np.intp]) -> NDArray[np.int64]:
    return np.diff(starts, append=values.size).astype(np.int64)
