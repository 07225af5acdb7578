"""Local exponents: the slope through a few neighbouring sizes, along the sizes.

Where one power law holds they scatter about one value; where it does not, they show how the exponent changes with N.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.scaling.fits import EXPONENTS
from gradcascade.scaling.points import Cascades, points_of
from gradcascade.scaling.regression import t_quantile
from gradcascade.scaling.run_errors import SizeMeans, size_means, small_first, smooth_variances
from gradcascade.scaling.window_means import trajectories
from gradcascade.scaling.windows import Window
from gradcascade.tables.inferred import INFERRED

MIN_LOCAL = 6
"""Fewest sizes: of fewer, neighbouring slopes would rest on nearly all of them."""

LOCAL_SCHEMA = INFERRED["local_exponents"].schema
"""Columns of the local exponents, in order."""

Floats = NDArray[np.float64]


def local_exponents(cascades: Cascades, window: Window = None) -> pl.DataFrame:
    """Slope of every exponent through each stretch of neighbouring sizes, from the runs' means over the window.

    A stretch is a third of the sizes, and at least three. Trajectories of fewer than :data:`MIN_LOCAL` sizes have no
    rows. Neighbouring stretches share sizes, so their errors go together.
    """
    points = points_of(cascades, window)
    rows: list[dict[str, Any]] = []
    for each in trajectories(points):
        means = each.means()
        if means.reason is not None or means.sizes < MIN_LOCAL:
            continue
        sizes = small_first(size_means(means))
        width = stretch(sizes.log_n.size)
        value, se = stretches(sizes, width)
        half = t_quantile(sizes.log_n.size - 3) * se
        for place, exponent in enumerate(EXPONENTS):
            for first in range(value.shape[1]):
                own = slice(first, first + width)
                logs = sizes.log_n[own]
                ends = {name: round(float(np.exp(logs[i]))) for name, i in (("n_first", 0), ("n_last", -1))}
                numbers = (value[place, first], se[place, first], half[place, first])
                slope, error, room = map(float, numbers)
                rows.append(
                    each.names
                    | {"exponent": exponent, "n": float(np.exp(logs.mean())), **ends}
                    | {"value": slope, "se": error, "low": slope - room, "high": slope + room}
                    | {"n_scales": width, "n_runs": int(sizes.runs[own].sum())}
                )
    return pl.DataFrame(rows, schema=LOCAL_SCHEMA)


def stretch(sizes: int) -> int:
    """How many neighbouring sizes a local exponent is the slope of."""
    return max(3, round(sizes / 3))


def stretches(sizes: SizeMeans, width: int) -> tuple[Floats, Floats]:
    """Slopes through every ``width`` neighbouring sizes and their standard errors, shape (channels, stretches).

    The scatter of the sizes is that about a parabola, since a smooth change of the exponent is none. How it is shared
    among sizes of several runs is as in :mod:`gradcascade.scaling.run_errors`; those of one run scatter alike.
    """
    x, k = sizes.log_n, sizes.log_n.size
    off = x - x.mean()
    design = np.stack([np.ones(k), off, off**2], axis=1)
    maker = np.eye(k) - design @ np.linalg.pinv(design)
    squares, left = ((sizes.means @ maker.T) ** 2).sum(axis=1), np.diag(maker)
    own = np.zeros_like(sizes.means) if (sizes.runs == 1).all() else smooth_variances(sizes) / sizes.runs
    shape = own + np.maximum(0.0, (squares - own @ left) / (k - 3))[:, None]
    total = shape @ left
    variance = shape * (squares / np.where(total > 0, total, 1.0))[:, None]
    count = k - width + 1
    weights = np.zeros((count, k))
    for first in range(count):
        part = x[first : first + width] - x[first : first + width].mean()
        weights[first, first : first + width] = part / (part @ part)
    return sizes.means @ weights.T, np.sqrt(variance @ (weights**2).T)
