"""From cascades to exponents: one straight line per step and channel on logarithms (arXiv:2605.02968)."""

from __future__ import annotations

import polars as pl

from gradcascade import vocabulary
from gradcascade.scaling.channels import log_points, prepared
from gradcascade.scaling.regression import MIN_SCALES, fit_lines
from gradcascade.scaling.shortages import shortages
from gradcascade.scaling.tables import FIT_KEYS, group_starts, require_columns, spread
from gradcascade.vocabulary import CHANNELS, EXPONENT_CHANNELS, FIT_COLUMNS, polars_schema

EXPONENTS = tuple(vocabulary.EXPONENTS)
"""The exponents, in the order of every table."""

FIT_SCHEMA = polars_schema(FIT_COLUMNS)
"""Columns of the table of fits, in order."""


def fit_exponents(cascades: pl.DataFrame) -> pl.DataFrame:
    """Fit D, z, beta and delta at every step, over the scales available there.

    Ordinary least squares of ``log size``, ``log duration``, ``log v_abs`` and ``log v_rel`` on ``log n``, where n is
    the number of entries of the field (arXiv:2605.02968). The logarithms of the replicates of a scale are averaged
    first, so every scale counts once. A cascade that is not ``included`` (see
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
        As :func:`gradcascade.scaling.channels.channels`, and if the fields of one scale differ in n at one step.
    """
    return fit_rows(prepared(cascades))


def fit_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Fit the four exponents to rows that were checked and sorted already.

    Parameters
    ----------
    rows : polars.DataFrame
        From :func:`gradcascade.scaling.channels.prepared`; rows that are not ``included`` are left out.

    Returns
    -------
    polars.DataFrame
        As :func:`fit_exponents`.
    """
    points = log_points(rows)
    first = group_starts(points, FIT_KEYS)
    logs = {name: points.get_column(f"log_{name}").to_numpy() for name in ("n", *EXPONENT_CHANNELS.values())}
    lines = {exponent: fit_lines(logs["n"], logs[channel], first) for exponent, channel in EXPONENT_CHANNELS.items()}
    fitted = pl.concat(
        points.select(*FIT_KEYS)[first].with_columns(
            exponent=pl.lit(exponent, dtype=pl.String),
            place=pl.lit(place, dtype=pl.Int64),
            value=fit.value,
            se=fit.se,
            low=fit.low,
            high=fit.high,
            r2=fit.r2,
            n_scales=fit.n_points,
        )
        for place, (exponent, fit) in enumerate(lines.items())
    )
    wanted = rows.select(*FIT_KEYS).unique().join(_exponent_names(), how="cross")
    return (
        wanted.join(fitted, on=[*FIT_KEYS, "exponent", "place"], how="left")
        .with_columns(pl.col("value", "se", "low", "high", "r2").fill_nan(None), pl.col("n_scales").fill_null(0))
        .join(shortages(rows.sort("n", maintain_order=True), FIT_KEYS, ("family", "field")), on=FIT_KEYS, how="left")
        .with_columns(reason=_fit_reason())
        .sort(*FIT_KEYS, "place")
        .select(pl.col(name).cast(kind) for name, kind in FIT_SCHEMA.items())
    )


def closure_error(fits: pl.DataFrame) -> pl.DataFrame:
    """How far the exponents are from ``beta = D - z`` and ``delta = D - z - 1``.

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
    D, z, beta, delta = (pl.col(name) for name in EXPONENTS)
    error = pl.max_horizontal((beta - (D - z)).abs(), (delta - (D - z - 1)).abs())
    return wide.select(*FIT_KEYS, closure_error=error)


def _exponent_names() -> pl.DataFrame:
    return pl.DataFrame(
        {"exponent": EXPONENTS, "place": range(len(EXPONENTS))}, schema={"exponent": pl.String, "place": pl.Int64}
    )


def _fit_reason() -> pl.Expr:
    words = {name: CHANNELS[channel].plural for name, channel in EXPONENT_CHANNELS.items()}
    channel = pl.col("exponent").replace_strict(words, default="")
    same_n = pl.format("the {} scales left all have the same n; a slope needs different ones", "n_scales")
    return (
        pl.when(pl.col("n_scales") < MIN_SCALES)
        .then(pl.col("shortage"))
        .when(pl.col("value").is_null())
        .then(same_n)
        .when(pl.col("r2").is_null())
        .then(pl.format("R2 is undefined: all {} are equal", channel))
        .otherwise(pl.lit(None, dtype=pl.String))
    )
