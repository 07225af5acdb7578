"""Exponents with the extinction time (:mod:`gradcascade.scaling.extinction`) in the place of n_steps."""

from __future__ import annotations

import polars as pl

from gradcascade.scaling.points import Cascades, points_of
from gradcascade.scaling.table_checks import FIT_KEYS
from gradcascade.scaling.windows import Window, in_window
from gradcascade.tables.reasons import because, columns, kept

_GROUP = ("family", "field", "variant")


def fit_continuous(cascades: Cascades) -> pl.DataFrame:
    """Fit the exponents to extinction times; cascades without one are left out, and ``reason`` names them."""
    return points_of(cascades).continuous.fits


def rounding(cascades: Cascades, window: Window = None) -> pl.DataFrame:
    """Say how much of z's scatter over the window is the rounding of the durations.

    ``rounding_sd`` is what rounding to whole steps makes by itself (a variance of 1/12 for every duration),
    ``rounding_share`` its share of z's variance, and ``removed_share`` that which the continuous duration does not
    have.
    """
    points = points_of(cascades, window)
    keys = [*FIT_KEYS]
    whole, smooth = (
        fits.filter(pl.col("exponent") == "z").select(*keys, pl.col("value").alias(name), kept().alias(f"_{name}"))
        for fits, name in ((points.fits, "z"), (points.continuous.fits, "z_continuous"))
    )
    variance = _rounding_variance(points.rows.filter("included"))
    steps = whole.join(smooth, on=keys, suffix="_smooth").join(variance, on=keys, how="left")
    known = pl.col("_used") & pl.col("z").is_not_null() & pl.col("z_continuous").is_not_null()
    z, smooth_z, noise = (pl.col(name).filter("_known") for name in ("z", "z_continuous", "_variance"))
    spread = pl.when(pl.col("z_sd") > 0).then(pl.col("z_sd") ** 2)
    return (
        steps.with_columns(_used=in_window(steps, points.windows))
        .with_columns(_known=known)
        .group_by(*_GROUP, maintain_order=True)
        .agg(
            z=z.mean(),
            z_sd=z.std(),
            z_continuous=smooth_z.mean(),
            z_continuous_sd=smooth_z.std(),
            rounding_sd=noise.mean().sqrt(),
            n_steps=pl.col("_known").sum().cast(pl.Int64),
            _why=pl.coalesce("_z_continuous", "_z").filter("_used").drop_nulls().first(),
        )
        .with_columns(
            *columns(
                pl.when(pl.col("n_steps") == 0)
                .then(pl.coalesce("_why", because("empty-window")))
                .when(pl.col("n_steps") == 1)
                .then(because("one-step-of-both"))
                .when(pl.col("z_sd") == 0)
                .then(because("same-z"))
            ),
            rounding_share=pl.col("rounding_sd") ** 2 / spread,
            removed_share=1 - pl.col("z_continuous_sd") ** 2 / spread,
        )
        .sort(*_GROUP)
        .select(pl.exclude("_why", "code", "reason"), "code", "reason")
    )


def _rounding_variance(rows: pl.DataFrame) -> pl.DataFrame:
    """Variance of z at each step if the errors of rounding are uniform on one step, averaged as replicates are.

    The derivative of z by one log duration is ``dx / sum dx^2``.
    """
    runs = rows.group_by(*FIT_KEYS, "scale", "run", maintain_order=True).agg(
        x=pl.col("n").cast(pl.Float64).log().first(),
        v=(1 / 12 / pl.col("duration").cast(pl.Float64) ** 2).mean() / pl.len(),
    )
    scales = runs.group_by(*FIT_KEYS, "scale", maintain_order=True).agg(
        pl.col("x").first(), v=pl.col("v").mean() / pl.len()
    )
    off = pl.col("x") - pl.col("x").mean()
    squares = (off**2).sum()
    return scales.group_by(*FIT_KEYS, maintain_order=True).agg(
        _variance=pl.when(squares > 0).then((off**2 * pl.col("v")).sum() / squares**2)
    )
