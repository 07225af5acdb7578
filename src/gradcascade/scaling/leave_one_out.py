"""How far the exponents of a step hang on a single scale: every fit again without each of its scales."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.scaling.fits import beside_fits, per_exponent
from gradcascade.scaling.points import Cascades, points_of
from gradcascade.scaling.regression import MIN_SCALES
from gradcascade.scaling.table_checks import FIT_KEYS
from gradcascade.tables.reasons import because, kept

Floats = NDArray[np.float64]


def leave_one_out(cascades: Cascades) -> pl.DataFrame:
    """Range ``loo_low, loo_high`` of every exponent over the fits that leave one scale out, and which those are."""
    points = points_of(cascades)
    scales = points.logs.get_column("scale").to_numpy()

    def ranges(x: Floats, y: Floats, starts: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        count = np.diff(starts, append=x.size)
        low = np.full(starts.size, np.nan)
        high, without_low, without_high = low.copy(), np.zeros(starts.size, int), np.zeros(starts.size, int)
        for k in np.unique(count[count > MIN_SCALES]):
            groups = np.flatnonzero(count == k)
            rows = starts[groups][:, None] + np.arange(k)
            slopes = _slopes_without(x[rows], y[rows])
            least, most = np.argmin(slopes, axis=1), np.argmax(slopes, axis=1)
            low[groups], high[groups] = slopes.min(axis=1), slopes.max(axis=1)
            without_low[groups], without_high[groups] = rows[:, 0] + least, rows[:, 0] + most
        names = [np.asarray(scales[rows] if rows.size else [], dtype=str) for rows in (without_low, without_high)]
        return {"loo_low": low, "loo_high": high, "without_low": names[0], "without_high": names[1]}

    found = per_exponent(points.logs, FIT_KEYS, ranges).drop_nulls(["loo_low", "loo_high"])
    reason = (
        pl.when(pl.col("loo_low").is_not_null())
        .then(None)
        .when(pl.col("value").is_null())
        .then(kept())
        .when(pl.col("n_scales") <= MIN_SCALES)
        .then(because("few-to-leave-out", least=MIN_SCALES))
        .otherwise(because("rest-of-one-n"))
    )
    return beside_fits(points.fits, found, reason, "value", "loo_low", "loo_high", "without_low", "without_high")


def _slopes_without(x: Floats, y: Floats) -> Floats:
    """Slopes without each point, shape (groups, points); NaN where the other points share one abscissa."""
    k = x.shape[1]
    dx, dy = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    # Leaving out a point takes k / (k - 1) times its own product from the centred sums.
    xx = (dx * dx).sum(axis=1, keepdims=True) - k / (k - 1) * dx * dx
    xy = (dx * dy).sum(axis=1, keepdims=True) - k / (k - 1) * dx * dy
    enough = xx > 1e-12 * (1 + (dx * dx).sum(axis=1, keepdims=True))
    return np.where(enough, xy / np.where(enough, xx, 1.0), np.nan)
