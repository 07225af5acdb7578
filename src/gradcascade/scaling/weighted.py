"""Exponents with weights, where replicates say how noisy every scale is."""

from __future__ import annotations

import numpy as np
import polars as pl

from gradcascade.scaling.channels import log_points, prepared
from gradcascade.scaling.exponents import EXPONENTS, fit_exponents
from gradcascade.scaling.regression import MIN_SCALES, t_quantiles
from gradcascade.scaling.tables import FIT_KEYS
from gradcascade.vocabulary import EXPONENT_CHANNELS

_SCALE = ("family", "field", "variant", "scale")


def weighted_exponents(cascades: pl.DataFrame) -> pl.DataFrame:
    """Fit the exponents with each scale weighted by the inverse variance of its mean.

    The variance of one cascade of a scale is that between replicates of one step, pooled over all steps of the
    family, field and variant, because the variance of two or three replicates of one step is no weight to rely on.
    The weights are relative: the errors come from the residuals of the line, as without weights.

    Parameters
    ----------
    cascades : polars.DataFrame
        As for :func:`gradcascade.scaling.exponents.fit_exponents`.

    Returns
    -------
    polars.DataFrame
        Rows as of :func:`gradcascade.scaling.exponents.fit_exponents`: ``family, field, variant, step, exponent,
        value, se, low, high`` (95 % t interval, k - 2 degrees of freedom), ``n_scales``, and ``reason``: null, or why
        numbers are missing (a scale was measured once at every step, or its replicates never differ).

    Raises
    ------
    InputError
        As :func:`gradcascade.scaling.exponents.fit_exponents`.
    """
    rows = prepared(cascades).filter("included")
    points = log_points(prepared(cascades))
    fits = fit_exponents(cascades).select(
        *FIT_KEYS, "exponent", pl.col("value").alias("_plain"), "n_scales", "reason"
    )
    tables = [
        _weighted(points, replicate_variances(rows, channel), exponent, channel)
        for exponent, channel in EXPONENT_CHANNELS.items()
    ]
    reason = pl.when(pl.col("_plain").is_null()).then("reason").otherwise("_why")
    order = pl.col("exponent").replace_strict({name: i for i, name in enumerate(EXPONENTS)}, return_dtype=pl.Int64)
    return (
        fits.join(pl.concat(tables), on=[*FIT_KEYS, "exponent"], how="left")
        .with_columns(reason=reason)
        .sort(*FIT_KEYS, order)
        .select(*FIT_KEYS, "exponent", "value", "se", "low", "high", "n_scales", "reason")
    )


def replicate_variances(rows: pl.DataFrame, channel: str) -> pl.DataFrame:
    """Variance of the logarithm of one cascade of every scale, between the replicates of a step, pooled over steps.

    Parameters
    ----------
    rows : polars.DataFrame
        From :func:`gradcascade.scaling.exponents.prepared`, the included ones.
    channel : str
        The channel.

    Returns
    -------
    polars.DataFrame
        One row per ``family, field, variant, step, scale``: ``_variance`` (the same at every step; null if no step
        has two replicates), its ``_degrees`` of freedom, and the ``_replicates`` of the step.
    """
    log = pl.col(channel).cast(pl.Float64).log()
    # In order, so that the sums over steps below are the same bits every time.
    steps = rows.group_by(*FIT_KEYS, "scale", maintain_order=True).agg(
        _squares=((log - log.mean()) ** 2).sum(), _replicates=pl.len()
    )
    pooled = pl.col("_squares").sum() / (pl.col("_replicates") - 1).sum()
    return steps.with_columns(
        _variance=pl.when((pl.col("_replicates") - 1).sum().over(_SCALE) > 0).then(pooled.over(_SCALE)),
        _degrees=(pl.col("_replicates") - 1).sum().over(_SCALE),
    ).select(*FIT_KEYS, "scale", "_variance", "_degrees", "_replicates")


def _weighted(points: pl.DataFrame, variances: pl.DataFrame, exponent: str, channel: str) -> pl.DataFrame:
    tiny = 64 * float(np.finfo(np.float64).eps) ** 2
    known = pl.col("_variance") > tiny
    weight = pl.col("_replicates") / pl.col("_variance")
    x, y = pl.col("log_n"), pl.col(f"log_{channel}")
    w = pl.col("_w")
    table = points.join(variances, on=[*FIT_KEYS, "scale"], how="left").with_columns(_w=weight)
    off_x = x - (w * x).sum().over(FIT_KEYS) / w.sum().over(FIT_KEYS)
    off_y = y - (w * y).sum().over(FIT_KEYS) / w.sum().over(FIT_KEYS)
    table = table.with_columns(_x=off_x, _y=off_y)
    xx, xy, yy = ((w * pl.col(a) * pl.col(b)).sum() for a, b in (("_x", "_x"), ("_x", "_y"), ("_y", "_y")))
    unknown = pl.col("scale").filter(pl.col("_variance").is_null()).first()
    alike = pl.col("scale").filter(pl.col("_variance") <= tiny).first()
    why = (
        pl.when(unknown.is_not_null())
        .then(pl.format("scale {} was measured once at every step; weights need replicates", unknown))
        .when(alike.is_not_null())
        .then(pl.format("the replicates of scale {} are all alike; they give no weight", alike))
        .otherwise(pl.lit(None, dtype=pl.String))
    )
    found = table.group_by(*FIT_KEYS, maintain_order=True).agg(
        _k=pl.len().cast(pl.Int64), _known=known.fill_null(False).all(), _xx=xx, _xy=xy, _yy=yy, _why=why
    )
    usable = pl.col("_known") & (pl.col("_k") >= MIN_SCALES) & (pl.col("_xx") > 0)
    found = found.with_columns(exponent=pl.lit(exponent), value=pl.when(usable).then(pl.col("_xy") / pl.col("_xx")))
    degrees = np.maximum(found.get_column("_k").to_numpy() - 2, 1)
    rest = (pl.col("_yy") - pl.col("value") * pl.col("_xy")).clip(lower_bound=0)
    se = (rest / pl.Series(degrees) / pl.col("_xx")).sqrt()
    half = pl.col("se") * pl.Series(t_quantiles(degrees))
    return (
        found.with_columns(se=se)
        .with_columns(low=pl.col("value") - half, high=pl.col("value") + half)
        .select(*FIT_KEYS, "exponent", "value", "se", "low", "high", "_why")
    )
