"""Corrections to scaling: a leading term that dies out with N, and the exponent that is left of it.

``log y = c + z log N + a (N / N_min)^-omega``, to first order in a the same as ``y ~ N^z (1 + a (N / N_min)^-omega)``
(Wegner, Phys. Rev. B 5, 4529, 1972). At a given omega it is linear, and omega runs over :func:`omegas`: from a term
that falls by e over all sizes, which a line all but replaces, to one that only the smallest size feels.

Whether there is a correction at all is asked once, by the test of the bend (:mod:`gradcascade.scaling.curvature`):
omega means nothing where there is none, and tests in the shape of a correction reject too often where small sizes
scatter more, by up to three times. What the data say of z and omega is what fits nearly as well as the best: z within
``sqrt(F - (RSS(omega) - RSS) / s2) se(omega)`` of its best value at each omega, with F(1, k - 4), s2 = RSS / (k - 4)
and the errors of :mod:`gradcascade.scaling.run_errors`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.scaling.curvature import window_curvature
from gradcascade.scaling.fits import EXPONENTS
from gradcascade.scaling.local_exponents import MIN_LOCAL
from gradcascade.scaling.points import Cascades, points_of
from gradcascade.scaling.regression import CONFIDENCE
from gradcascade.scaling.run_errors import SizeMeans, coefficient_errors, size_means, small_first
from gradcascade.scaling.window_means import trajectories
from gradcascade.scaling.windows import Window
from gradcascade.tables.inferred import INFERRED
from gradcascade.tables.reasons import Reason, told

MIN_CORRECTED = MIN_LOCAL
"""Fewest sizes: four parameters, and two degrees of freedom to tell how well they fit."""

CORRECTION_SCHEMA = INFERRED["corrections"].schema
"""Columns of the corrections, in order."""

OMEGAS = 33
"""How many values of omega are tried."""

Floats = NDArray[np.float64]


def corrections(cascades: Cascades, window: Window = None) -> pl.DataFrame:
    """Fit the leading correction of every exponent to the runs' means over the window.

    ``omega_low`` and ``omega_high`` are missing where nothing in the data bounds omega on that side; where both are,
    the correction is not identified, and the interval of the asymptotic exponent holds all that it could be.
    """
    points = points_of(cascades, window)
    key = ("family", "field", "variant", "exponent")
    bends = {tuple(row[name] for name in key): row for row in window_curvature(points).to_dicts()}
    rows: list[dict[str, Any]] = []
    for each in trajectories(points):
        means = each.means()
        reason = means.no_line
        if reason is None and means.sizes < MIN_CORRECTED:
            reason = Reason.of("few-sizes-to-correct", n_scales=means.sizes, least=MIN_CORRECTED)
        found = [{}] * len(EXPONENTS) if reason else fitted(small_first(size_means(means)))
        for exponent, numbers in zip(EXPONENTS, found, strict=True):
            bend = bends[*each.name, exponent]
            tested = {name: bend[name] for name in ("p", "p_adjusted")} if numbers else {}
            why = reason or (None if numbers else Reason.of("no-noise-of-correction"))
            rows.append(each.names | {"exponent": exponent} | told(why) | tested | dict(numbers) | means.counts)
    return pl.DataFrame(rows, schema=CORRECTION_SCHEMA)


def omegas(log_n: Floats) -> Floats:
    """Values of omega that sizes can tell from a line and from one odd size."""
    span = np.ptp(log_n)
    return np.geomspace(1 / span, 2 * (log_n.size - 1) / span, OMEGAS)


def fitted(sizes: SizeMeans) -> list[dict[str, Any]]:
    """Correction of every channel of sizes in order; without numbers where the sizes lie on one curve exactly."""
    from scipy.stats import f

    x = sizes.log_n - sizes.log_n[0]
    tried, free = omegas(sizes.log_n), x.size - 4
    designs = np.stack([np.stack([np.ones(x.size), x, np.exp(-omega * x)], axis=1) for omega in tried])
    values = np.linalg.pinv(designs) @ sizes.means.T  # shape (omegas, terms, channels)
    rss = ((sizes.means.T - designs @ values) ** 2).sum(axis=1)
    se = np.stack([coefficient_errors(sizes, design, 1)[0] for design in designs])
    least = rss.min(axis=0)
    tiny = x.size * (64 * np.finfo(np.float64).eps * (1 + np.abs(sizes.means).max(axis=1))) ** 2
    limit = float(f.ppf(CONFIDENCE, 1, free))
    known = least > tiny
    off = (rss - least) / np.where(known, least / free, 1.0)
    half = np.sqrt(np.maximum(limit - off, 0.0)) * se
    plain = np.polynomial.polynomial.polyfit(x, sizes.means.T, 1)[1]
    found: list[dict[str, Any]] = []
    for channel in range(len(sizes.means)):
        if not known[channel]:
            found.append({})
            continue
        fits = np.flatnonzero(off[:, channel] <= limit)
        best = int(np.argmin(rss[:, channel]))
        z, room = values[:, 1, channel], half[:, channel]
        found.append(
            {
                "plain": float(plain[channel]),
                "value": float(z[best]),
                "low": float((z - room)[fits].min()),
                "high": float((z + room)[fits].max()),
                "amplitude": float(values[best, 2, channel]),
                "omega": float(tried[best]),
                "omega_low": float(tried[fits[0]]) if fits[0] > 0 else None,
                "omega_high": float(tried[fits[-1]]) if fits[-1] < OMEGAS - 1 else None,
                "n_smallest": round(float(np.exp(sizes.log_n[0]))),
            }
        )
    return found
