"""How far the exponents of a step hang on a single scale: every fit again without each of its scales."""

from __future__ import annotations

import numpy as np
import polars as pl

from gradcascade.scaling.channels import log_points, prepared
from gradcascade.scaling.exponents import EXPONENTS, fit_exponents
from gradcascade.scaling.regression import MIN_SCALES
from gradcascade.scaling.tables import FIT_KEYS, group_starts
from gradcascade.vocabulary import EXPONENT_CHANNELS


def leave_one_out(cascades: pl.DataFrame) -> pl.DataFrame:
    """Range of every exponent over the fits that leave one scale out.

    Parameters
    ----------
    cascades : polars.DataFrame
        As for :func:`gradcascade.scaling.exponents.fit_exponents`.

    Returns
    -------
    polars.DataFrame
        Rows as of :func:`gradcascade.scaling.exponents.fit_exponents`: ``family, field, variant, step, exponent,
        value``, the least and the largest exponent ``loo_low, loo_high``, the scales without which they arise,
        ``without_low, without_high``, and ``reason``: null, or why there is no range (three scales cannot spare one).

    Raises
    ------
    InputError
        As :func:`gradcascade.scaling.exponents.fit_exponents`.
    """
    fits = fit_exponents(cascades)
    points = log_points(prepared(cascades))
    starts = group_starts(points, FIT_KEYS)
    count = np.diff(starts, append=points.height)
    keys = points.select(*FIT_KEYS)[starts]
    scales = points.get_column("scale").to_numpy()
    x = points.get_column("log_n").to_numpy()
    tables = []
    for exponent, channel in EXPONENT_CHANNELS.items():
        y = points.get_column(f"log_{channel}").to_numpy()
        low = np.full(starts.size, np.nan)
        high, without_low, without_high = low.copy(), np.zeros(starts.size, int), np.zeros(starts.size, int)
        for k in np.unique(count[count > MIN_SCALES]):
            groups = np.flatnonzero(count == k)
            rows = starts[groups][:, None] + np.arange(k)
            slopes = _slopes_without(x[rows], y[rows])
            least, most = np.argmin(slopes, axis=1), np.argmax(slopes, axis=1)
            low[groups], high[groups] = slopes.min(axis=1), slopes.max(axis=1)
            without_low[groups], without_high[groups] = rows[:, 0] + least, rows[:, 0] + most
        known = np.isfinite(low) & np.isfinite(high)
        tables.append(
            keys.with_columns(
                exponent=pl.lit(exponent, dtype=pl.String),
                loo_low=pl.Series(low, dtype=pl.Float64),
                loo_high=pl.Series(high, dtype=pl.Float64),
                without_low=pl.Series(scales[without_low] if starts.size else [], dtype=pl.String),
                without_high=pl.Series(scales[without_high] if starts.size else [], dtype=pl.String),
            ).filter(pl.Series(known, dtype=pl.Boolean))
        )
    few = pl.format("only {} scales: a fit needs {}, so none can be left out", "n_scales", pl.lit(MIN_SCALES))
    reason = (
        pl.when(pl.col("loo_low").is_not_null())
        .then(None)
        .when(pl.col("value").is_null())
        .then("reason")
        .when(pl.col("n_scales") <= MIN_SCALES)
        .then(few)
        .otherwise(pl.lit("without one of the scales all the others have the same n"))
    )
    order = pl.col("exponent").replace_strict({name: i for i, name in enumerate(EXPONENTS)}, return_dtype=pl.Int64)
    return (
        fits.join(pl.concat(tables), on=[*FIT_KEYS, "exponent"], how="left")
        .with_columns(reason=reason)
        .sort(*FIT_KEYS, order)
        .select(*FIT_KEYS, "exponent", "value", "loo_low", "loo_high", "without_low", "without_high", "reason")
    )


def _slopes_without(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Slopes without each point, shape (groups, points); NaN where the other points share one abscissa."""
    k = x.shape[1]
    dx, dy = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    # Leaving out a point takes k / (k - 1) times its own product from the centred sums.
    xx = (dx * dx).sum(axis=1, keepdims=True) - k / (k - 1) * dx * dx
    xy = (dx * dy).sum(axis=1, keepdims=True) - k / (k - 1) * dx * dy
    enough = xx > 1e-12 * (1 + (dx * dx).sum(axis=1, keepdims=True))
    return np.where(enough, xy / np.where(enough, xx, 1.0), np.nan)
