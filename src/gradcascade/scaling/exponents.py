"""From cascades to exponents: one straight line per step and channel on logarithms (arXiv:2605.02968)."""

from __future__ import annotations

import polars as pl

from gradcascade.scaling.fits import EXPONENTS, FIT_SCHEMA
from gradcascade.scaling.points import Cascades, points_of
from gradcascade.scaling.table_checks import FIT_KEYS, require_columns, spread

__all__ = ["EXPONENTS", "FIT_SCHEMA", "closure_error", "fit_exponents"]


def fit_exponents(cascades: Cascades) -> pl.DataFrame:
    """Fit D, z, beta and delta at every step, over the scales available there.

    Ordinary least squares of ``log size``, ``log duration``, ``log v_abs`` and ``log v_rel`` on ``log n``, where n is
    the number of entries of the field (arXiv:2605.02968). The logarithms of the replicates of a run are averaged
    first and then those of the runs of a scale, so that every scale counts once. A cascade that is not ``included``
    (see
    :func:`gradcascade.scaling.channels.channels`) is left out, and a scale with it when none of its replicates is
    left. No fit is dropped for its R2.

    Parameters
    ----------
    cascades : polars.DataFrame
        One row per cascade, columns as for :func:`gradcascade.scaling.channels.channels`, in any order.

    Returns
    -------
    polars.DataFrame
        Sorted, one row per ``family, field, variant, step`` and ``exponent`` (``"D", "z", "beta", "delta"``):
        ``value``, its standard error ``se``, the 95 % t interval ``low, high`` (k - 2 degrees of freedom), ``r2``,
        the number of scales ``n_scales`` (k) and ``reason``. The numbers are null where fewer than three scales are
        left, and ``r2`` where a channel is the same at every scale (the exponent is then 0); ``reason`` says so in
        words, and is null otherwise.

    Raises
    ------
    InputError
        As :func:`gradcascade.scaling.channels.channels`, or if the fields of one scale differ in n at one step.
    """
    return points_of(cascades).fits


def closure_error(fits: pl.DataFrame) -> pl.DataFrame:
    """How far the exponents are from what D and z say: ``beta = D - z`` and ``delta = D - z - 1``.

    Both hold exactly when the same scales enter every fit (arXiv:2605.02968), so this checks the code, not nature.

    Parameters
    ----------
    fits : polars.DataFrame
        From :func:`fit_exponents`.

    Returns
    -------
    polars.DataFrame
        ``family, field, variant, step, closure_error``, the larger of the two differences in absolute value; null
        where the exponents are missing.

    Raises
    ------
    InputError
        If columns are missing.
    """
    require_columns(fits, (*FIT_KEYS, "exponent", "value"), "table of fits")
    wide = spread(fits, FIT_KEYS, "exponent", EXPONENTS, "value")
    D, z, beta, delta = (pl.col(name) for name in ("D", "z", "beta", "delta"))
    error = pl.max_horizontal((beta - (D - z)).abs(), (delta - (D - z - 1)).abs())
    return wide.select(*FIT_KEYS, closure_error=error)
