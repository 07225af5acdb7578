"""Whether a power law bends: the quadratic term of the logarithms against log N."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.scaling.fits import EXPONENTS, beside_fits, per_exponent
from gradcascade.scaling.multiplicity import holm_over_exponents
from gradcascade.scaling.points import Cascades, points_of
from gradcascade.scaling.regression import group_means, t_quantiles
from gradcascade.scaling.run_errors import coefficient_errors, size_means
from gradcascade.scaling.table_checks import FIT_KEYS
from gradcascade.scaling.window_means import RunSteps, trajectories
from gradcascade.scaling.windows import Window
from gradcascade.tables.inferred import INFERRED
from gradcascade.tables.reasons import Reason, because, kept, told

MIN_CURVED = 4
"""Fewest scales that can show a curvature: a parabola goes through any three points."""

WINDOW_SCHEMA = INFERRED["window_curvature"].schema
"""Columns of the bends over the window, in order."""

Floats = NDArray[np.float64]


def curvature(cascades: Cascades) -> pl.DataFrame:
    """Test every fit for curvature: ``log y = c + slope x + curvature x^2``, x = log N less its mean over the scales.

    The test is the t test of the last term, with k - 3 degrees of freedom.
    """
    points = points_of(cascades)
    found = per_exponent(points.logs, FIT_KEYS, _bends)
    reason = (
        pl.when(pl.col("value").is_null())
        .then(kept())
        .when(pl.col("n_scales") < MIN_CURVED)
        .then(because("few-to-bend", least=MIN_CURVED))
        .when(pl.col("curvature").is_null())
        .then(because("few-different-n"))
        .when(pl.col("p").is_null())
        .then(because("no-noise"))
    )
    fits = points.fits.select(*FIT_KEYS, "exponent", "value", "n_scales", "code", "reason")
    return beside_fits(fits, found, reason, "curvature", "se", "low", "high", "p", "n_scales")


def window_curvature(cascades: Cascades, window: Window = None) -> pl.DataFrame:
    """Test the power laws of the window for a bend, the runs' means being the points.

    A scale whose runs all lie off the line bends it as a true curvature does. So the scatter of the scales about the
    parabola, with k - 3 degrees of freedom, is what a bend must stand out from, however many steps there are.
    """
    points = points_of(cascades, window)
    rows = [row for each in trajectories(points) for row in _bends_of(each)]
    return pl.DataFrame(rows, schema=WINDOW_SCHEMA)


def _bends_of(each: RunSteps) -> list[dict[str, Any]]:
    from scipy.stats import t

    means = each.means()
    reason = means.reason
    if reason is None and means.sizes < MIN_CURVED:
        reason = Reason.of("few-sizes-to-bend", n_scales=means.sizes, least=MIN_CURVED)
    if reason is not None:
        return [each.names | {"exponent": exponent} | told(reason) | means.counts for exponent in EXPONENTS]
    sizes = size_means(means)
    scales, channels = sizes.log_n.size, len(EXPONENTS)
    off = sizes.log_n - sizes.log_n.mean()
    value, plain, degrees = _quadratic_terms(
        np.tile(sizes.log_n, channels), sizes.means.ravel(), np.arange(channels) * scales
    )
    se = coefficient_errors(sizes, np.stack([np.ones(scales), off, off**2], axis=1), 2)[0]
    se = np.where(plain > 0, se, 0.0)
    half = t_quantiles(degrees) * se
    p = np.where(se > 0, 2 * t.sf(np.abs(value) / np.where(se > 0, se, 1.0), degrees), np.nan)
    adjusted = holm_over_exponents(p)
    return [
        each.names
        | {"exponent": exponent, "curvature": value[i], "se": se[i], "low": value[i] - half[i]}
        | {"high": value[i] + half[i], "p": _known(p[i]), "p_adjusted": _known(adjusted[i])}
        | told(None if se[i] > 0 else Reason.of("no-noise"))
        | means.counts
        for i, exponent in enumerate(EXPONENTS)
    ]


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


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
