"""P values of several questions asked at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gradcascade.vocabulary import EXPONENTS

Floats = NDArray[np.float64]


def holm(p: Floats) -> Floats:
    """P values after Holm (Scandinavian Journal of Statistics 6, 1979); NaN are no questions.

    However the questions depend on each other, any of those with a true null is below 5 % in at most 5 % of the
    times.
    """
    adjusted = np.full(p.shape, np.nan)
    asked = np.flatnonzero(np.isfinite(p))
    order = asked[np.argsort(p[asked], kind="stable")]
    steps = p[order] * np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def holm_over_exponents(p: Floats) -> Floats:
    """P values of the exponents of a trajectory after :func:`holm`; one that moves as another is no question more."""
    names = list(EXPONENTS)
    own = [place for place, name in enumerate(names) if not EXPONENTS[name].same_as]
    adjusted = np.full(len(names), np.nan)
    adjusted[own] = holm(p[own])
    for place, name in enumerate(names):
        other = EXPONENTS[name].same_as
        if other:
            adjusted[place] = adjusted[names.index(other)]
    return adjusted
