"""Interval of the mean of a short series whose steps are correlated.

With some 60 correlated steps a bootstrap or a kernel estimate of the error is too small, since the correlation is
itself badly known. Here it is averaged over what the series leaves open: for every correlation phi, with or without
noise on top, the mean of a Gaussian first-order autoregression has a t interval, and the interval is that of their
mixture, weighted by likelihood (mean and variance integrated out). Its coverage: benchmarks/calibration.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gradcascade.memory import on_release
from gradcascade.scaling.regression import CONFIDENCE

Floats = NDArray[np.float64]

MIN_STEPS = 5
"""Fewest steps from which a correlation is worth estimating."""

_PHI = np.concatenate([np.linspace(-0.5, 0.8, 14), [0.84, 0.88, 0.91, 0.94, 0.96, 0.98, 0.99]])
_LEANING = 0.3
"""Weight of phi beforehand: (1 - phi²) to minus this. At 0 long correlations are covered too rarely; at 1/2, the
reference prior of a stationary autoregression, short ones too often (benchmarks/calibration.py)."""
_NOISE = {0.0: 0.6, 0.1: 0.2, 0.5: 0.2}
"""Variance of the noise on top, in units of the variance of the correlated part, and its weight beforehand."""

_CHUNK = 2_000_000


@dataclass(frozen=True)
class _Models:
    """The models of one number of steps."""

    phi: Floats
    noise: Floats
    weight: Floats
    ones: Floats
    variance: Floats
    of_mean: Floats


def mean_half_widths(series: Floats, confidence: float = CONFIDENCE) -> Floats:
    """Half widths of the intervals of the means of series."""
    count, steps = series.shape
    half = np.full(count, np.nan)
    if steps < MIN_STEPS or not count:
        return half
    models = _models(steps)
    off = series - series.mean(axis=1, keepdims=True)
    size = np.sqrt((off**2).mean(axis=1))
    constant = size <= 8 * np.finfo(np.float64).eps * np.abs(series).max(axis=1)
    # Any series does for a constant one; its answer is replaced below.
    unit = np.where(
        constant[:, None], np.arange(steps) - (steps - 1) / 2, off / np.where(constant, 1.0, size)[:, None]
    )
    rows = max(1, _CHUNK // (models.phi.size * steps))
    for first in range(0, count, rows):
        half[first : first + rows] = _half_widths(unit[first : first + rows], models, confidence)
    return np.where(constant, 0.0, half * size)


def _half_widths(series: Floats, models: _Models, confidence: float) -> Floats:
    from scipy.special import stdtr, stdtrit

    steps = series.shape[1]
    innovations = _innovations(series, models.phi, models.noise)[0]
    precise = 1 / models.variance
    ones = (models.ones**2 * precise).sum(axis=0)
    cross = np.einsum("tsm,tm->sm", innovations, models.ones * precise)
    rest = np.einsum("tsm,tm->sm", innovations**2, precise) - cross**2 / ones
    fit = models.weight - 0.5 * np.log(models.variance).sum(axis=0) - 0.5 * np.log(ones)
    fit = fit - (steps - 1) / 2 * np.log(rest)
    weight = np.exp(fit - fit.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    scale = np.sqrt(models.of_mean * rest / (steps - 1))
    target = 0.5 + confidence / 2
    quantile = stdtrit(steps - 1, target)
    low, high = quantile * scale.min(axis=1), quantile * scale.max(axis=1)
    # Halving the bracket 40 times leaves nothing of it; the mixture has no quantile in closed form.
    for _ in range(40):
        middle = (low + high) / 2
        below = (weight * stdtr(steps - 1, middle[:, None] / scale)).sum(axis=1) < target
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


@lru_cache(maxsize=64)
def _models(steps: int) -> _Models:
    noises = np.array(list(_NOISE))
    phi, noise = (grid.ravel() for grid in np.meshgrid(_PHI, noises, indexing="ij"))
    weight = np.log(np.outer(np.gradient(_PHI) * (1 - _PHI**2) ** -_LEANING, np.array(list(_NOISE.values()))).ravel())
    ones, variance = _innovations(np.ones((1, steps)), phi, noise)
    lags = np.arange(1, steps)
    of_mean = (1 + 2 * ((1 - lags / steps) * phi[:, None] ** lags).sum(axis=1) + noise) / steps
    return _Models(phi, noise, weight, ones[:, 0], variance, of_mean)


on_release(_models.cache_clear)


def _innovations(series: Floats, phi: Floats, noise: Floats) -> tuple[Floats, Floats]:
    """Run the Kalman filter of ``x = state + noise``, the state an autoregression of variance one.

    Returns the innovations, shape (steps, series, models), and their variances, shape (steps, models).
    """
    count, steps = series.shape
    innovations = np.empty((steps, count, phi.size))
    variances = np.empty((steps, phi.size))
    state, spread = np.zeros((count, phi.size)), np.ones(phi.size)
    for step in range(steps):
        variance = spread + noise
        innovations[step] = series[:, step, None] - state
        variances[step] = variance
        gain = spread / variance
        state = phi * (state + gain * innovations[step])
        spread = phi**2 * spread * (1 - gain) + (1 - phi**2)
    return innovations, variances
