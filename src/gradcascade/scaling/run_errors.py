"""Errors of a line, or of a bend, through the means of scales whose runs may scatter differently.

The deviation of a scale from the law is random, and seeds of one scale share it; so the unit is the scale, with its
mean over runs as the point, and k - p degrees of freedom for k scales and p coefficients. The coefficients are those
of ordinary least squares, so that beta = D - z stays exact. How they are said to err depends on what is known;
benchmarks/interval_coverage.py compares the choices.

*runs*: some scale has several runs. Their variance is smoothed over the scales (log variance linear in log N, the
slope shrunk towards none), and what the residuals hold beyond it is a variance that all scales share. The residuals
then set the size of the error and this only its shape: ``RSS a'Va / tr(MV)``, with a the coefficient's weights, M
the residual maker; of eight and more scales it is at least that of hc3. *hc3*: one run of each of eight or more
scales; every residual stands for its own variance (MacKinnon and White, Journal of Econometrics 29, 1985), and the
error is at least that of *ordinary*: by itself hc3 gives p of 0.1 % up to 1.5 times as often where scales are equally
noisy, and 2.4 times where small ones vary more, which among sixty questions is too many.
*ordinary*: one run of each of fewer scales, taken as equally noisy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradcascade.scaling.run_means import RunMeans

ORDINARY, HC3, RUNS = "ordinary", "hc3", "runs"

MIN_HC3 = 8
"""Fewest scales of one run for HC3: with fewer its intervals are up to twice as wide where scales are equally
noisy."""

_LEAST = 1e-4
"""A variance between runs below this share of the pooled one counts as this: few runs can agree by chance."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SizeMeans:
    """What the runs of every size come to: log N, mean and variance of each channel, and how many they are."""

    log_n: Floats
    means: Floats
    variance: Floats
    runs: NDArray[np.int64]


def size_means(runs: RunMeans) -> SizeMeans:
    """Average the runs of every size; the variance between them is NaN where there is one."""
    count = np.bincount(runs.size, minlength=runs.sizes)
    if (count == 1).all():
        return SizeMeans(runs.log_n, runs.means, np.full(runs.means.shape, np.nan), count)
    means = np.stack([np.bincount(runs.size, row, runs.sizes) for row in runs.means]) / count
    off = (runs.means - means[:, runs.size]) ** 2
    squares = np.stack([np.bincount(runs.size, row, runs.sizes) for row in off])
    # Equal logarithms differ in their last digits.
    squares[squares <= (64 * np.finfo(np.float64).eps * (1 + np.abs(means))) ** 2] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where(count > 1, squares / (count - 1), np.nan)
    return SizeMeans(np.bincount(runs.size, runs.log_n, runs.sizes) / count, means, variance, count)


def small_first(sizes: SizeMeans) -> SizeMeans:
    """The same with the smallest size first."""
    order = np.argsort(sizes.log_n)
    return SizeMeans(sizes.log_n[order], sizes.means[:, order], sizes.variance[:, order], sizes.runs[order])


def coefficient_errors(sizes: SizeMeans, design: Floats, which: int) -> tuple[Floats, str]:
    """Standard error of one coefficient of every channel, for t quantiles of k - p degrees of freedom, and how."""
    scales, terms = design.shape
    inverse = np.linalg.pinv(design)
    weights, maker = inverse[which], np.eye(scales) - design @ inverse
    rest = sizes.means @ maker.T
    left, squares = np.diag(maker), (rest**2).sum(axis=1)
    hc3 = np.sqrt((rest**2) @ (weights / np.where(left > 1e-9, left, 1.0)) ** 2)
    if (sizes.runs == 1).all():
        ordinary = np.sqrt(squares / (scales - terms) * (weights @ weights))
        return (np.maximum(hc3, ordinary), HC3) if scales >= MIN_HC3 else (ordinary, ORDINARY)
    own = smooth_variances(sizes) / sizes.runs
    common = np.maximum(0.0, (squares - own @ left) / (scales - terms))
    shape = own + common[:, None]
    total = shape @ left
    shape = np.where(total[:, None] > 0, shape, 1.0)
    se = np.sqrt(squares * (shape @ weights**2) / (shape @ left))
    return np.maximum(se, hc3) if scales >= MIN_HC3 else se, RUNS


def smooth_variances(sizes: SizeMeans) -> Floats:
    """Variance of one run at every size, shape (channels, sizes): its logarithm is linear in log N.

    The mean and variance of log s2 are those of a chi squared variable; the slope is shrunk as if it came from a
    normal distribution that lets variances differ by a factor of e per standard deviation of log N.
    """
    from scipy.special import digamma, polygamma

    several = sizes.runs > 1
    half = (sizes.runs[several] - 1) / 2
    x, known = sizes.log_n[several], sizes.variance[:, several]
    pooled = (known * half).sum(axis=1) / half.sum()
    floor = np.where(pooled > 0, _LEAST * pooled, 1.0)
    logs = np.log(np.maximum(known, floor[:, None])) - digamma(half) + np.log(half)
    weight = 1 / np.asarray(polygamma(1, half), dtype=np.float64)
    middle = (weight @ x) / weight.sum()
    level = logs @ weight / weight.sum()
    precision = weight @ (x - middle) ** 2
    spread = np.var(sizes.log_n)
    trend = (logs * weight) @ (x - middle) / (precision + spread) if spread > 0 else np.zeros(len(level))
    found = np.exp(level[:, None] + trend[:, None] * (sizes.log_n - middle))
    return np.where(pooled[:, None] > 0, found, 0.0)


def scatter(sizes: SizeMeans) -> tuple[Floats, Floats]:
    """Variance between the runs of a size, and of sizes off the line beyond it, of every channel.

    The first is NaN where every size has one run; then the second holds all of the scatter about the line.
    """
    x, k, free = sizes.log_n - sizes.log_n.mean(), sizes.log_n.size, int((sizes.runs - 1).sum())
    maker = np.eye(k) - 1 / k - np.outer(x, x) / (x @ x)
    about = ((sizes.means @ maker.T) ** 2).sum(axis=1) / (k - 2)
    if not free:
        return np.full(about.shape, np.nan), about
    several = sizes.runs > 1
    pooled = (sizes.variance[:, several] * (sizes.runs[several] - 1)).sum(axis=1) / free
    return pooled, np.maximum(0.0, about - pooled * float(np.diag(maker) @ (1 / sizes.runs)) / (k - 2))
