"""Whether a power law bends: the quadratic term of the logarithms against log N."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.scaling.along_training import over_window
from gradcascade.scaling.fits import beside_fits, per_exponent
from gradcascade.scaling.points import Cascades, points_of
from gradcascade.scaling.regression import group_means, t_quantiles
from gradcascade.scaling.table_checks import FIT_KEYS
from gradcascade.scaling.windows import Window

MIN_CURVED = 4
"""Fewest scales that can show a curvature: a parabola goes through any three points."""

Floats = NDArray[np.float64]


def curvature(cascades: Cascades) -> pl.DataFrame:
    """Test every fit for curvature: ``log y = c + slope x + curvature x^2``, x = log N less its mean over the scales.

    The test is the t test of the last term, with k - 3 degrees of freedom.
    """
    points = points_of(cascades)
    found = per_exponent(points.logs, FIT_KEYS, _bends)
    few = pl.format("only {} scales: a curvature needs {}", "n_scales", pl.lit(MIN_CURVED))
    reason = (
        pl.when(pl.col("value").is_null())
        .then("reason")
        .when(pl.col("n_scales") < MIN_CURVED)
        .then(few)
        .when(pl.col("curvature").is_null())
        .then(pl.lit("the scales have fewer than three different n"))
        .when(pl.col("p").is_null())
        .then(pl.lit("p is undefined: nothing is left to tell the noise from"))
    )
    fits = points.fits.select(*FIT_KEYS, "exponent", "value", "n_scales", "reason")
    return beside_fits(fits, found, reason, "curvature", "se", "low", "high", "p", "n_scales")


def window_curvature(curvatures: pl.DataFrame, window: Window = None) -> pl.DataFrame:
    """Mean curvature over the window, which can show one where a step of four scales (one degree of freedom) cannot.

    The interval is along training: points that lie off a line at every step, because the runs of the scales differ,
    bend it as a true curvature does.
    """
    return over_window(curvatures, ("family", "field", "variant", "exponent"), "curvature", window)


def _bends(x: Floats, y: Floats, starts: NDArray[np.intp]) -> dict[str, Floats]:
    from scipy.stats import t

    value, se, degrees = _quadratic_terms(x, y, starts)
    half = t_quantiles(degrees) * se
    sure = se > 0
    p = np.where(sure, 2 * t.sf(np.abs(value) / np.where(sure, se, 1.0), degrees), np.nan)
    return {"curvature": value, "se": se, "low": value - half, "high": value + half, "p": p}


def _quadratic_terms(x: Floats, y: Floats, starts: NDArray[np.intp]) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Coefficients of x squared, their standard errors and degrees of freedom; NaN where there are none."""
    count = np.diff(starts, append=x.size).astype(np.int64)
    degrees = np.maximum(count - 3, 1)
    if not starts.size:
        return np.zeros(0), np.zeros(0), degrees

    def rest(values: Floats, *others: Floats) -> Floats:
        """What is left of the values beside a constant and the others, which are orthogonal to each other."""
        left = values - np.repeat(group_means(values, starts), count)
        for other in others:
            norm = np.add.reduceat(other * other, starts)
            share = np.add.reduceat(left * other, starts) / np.where(norm > 0, norm, 1.0)
            left = left - np.repeat(share, count) * other
        return left

    dx = rest(x)
    bend = rest(dx * dx, dx)
    left = rest(y, dx)
    norm, squares = np.add.reduceat(bend * bend, starts), np.add.reduceat(dx**4, starts)
    known = (count >= MIN_CURVED) & (norm > 1e-12 * (1e-12 + squares))
    safe = np.where(known, norm, 1.0)
    value = np.add.reduceat(bend * left, starts) / safe
    noise = left - np.repeat(value, count) * bend
    rounding = 8 * np.finfo(np.float64).eps * (1 + np.maximum.reduceat(np.abs(y), starts))
    exact = np.maximum.reduceat(np.abs(noise), starts) <= rounding
    se = np.where(exact, 0.0, np.sqrt(np.add.reduceat(noise * noise, starts) / degrees / safe))
    return np.where(known, value, np.nan), np.where(known, se, np.nan), degrees
