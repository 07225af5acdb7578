"""A continuous duration beside n_steps: the extinction time extrapolated from the activity profile.

``n_steps`` is a whole number, and often a small one, so that z inherits its rounding. Late in a cascade the activity
decays about geometrically; the extinction time is where a straight line through the logarithm of that decay falls to
half an active node.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.scaling.channels import prepared
from gradcascade.scaling.exponents import fit_rows
from gradcascade.scaling.tables import FIT_KEYS, require_columns
from gradcascade.scaling.windows import Window, in_window

TAIL = 30
"""The decay is fitted from the last step with at least this many active nodes on, where counts become small."""

TAIL_STEPS = 3
"""The decay is fitted to at least this many steps, where the cascade has them."""

EXTINCT = 0.5
"""Expected number of active nodes at which a cascade counts as extinct."""

_GROUP = ("family", "field", "variant")


def extinction_times(counts: NDArray[np.integer], lengths: NDArray[np.integer]) -> NDArray[np.float64]:
    """Extrapolate the extinction times of activity profiles.

    Least squares of ``log A_l`` on l with weights ``A_l`` (the inverse variance of the logarithm of a count), over
    the steps from the last one with at least 30 active nodes, at least three of them; the time is where the line
    falls to 1/2. No bound ties it to ``n_steps``: a single node that stays active for long moves ``n_steps`` and
    hardly the extinction time.

    Parameters
    ----------
    counts : numpy.ndarray
        Active nodes at each relaxation step, all positive, the profiles one behind the other, shape (steps,).
    lengths : numpy.ndarray
        Steps of each profile, shape (cascades,).

    Returns
    -------
    numpy.ndarray
        float64, shape (cascades,), in relaxation steps; NaN for profiles of fewer than two steps, and for those
        whose activity does not decay.
    """
    times = np.full(lengths.size, np.nan)
    filled = np.flatnonzero(lengths > 0)
    if not filled.size:
        return times
    length = lengths[filled].astype(np.intp)
    starts = np.cumsum(length) - length
    place = np.arange(counts.size) - np.repeat(starts, length)
    last_large = np.maximum.reduceat(np.where(counts >= TAIL, place, 0), starts)
    tail = place >= np.repeat(np.minimum(last_large, np.maximum(length - TAIL_STEPS, 0)), length)
    weight = np.where(tail, counts, 0).astype(np.float64)
    logs = np.log(counts.astype(np.float64))
    total = np.add.reduceat(weight, starts)
    mean_place = np.add.reduceat(weight * place, starts) / total
    mean_log = np.add.reduceat(weight * logs, starts) / total
    off = place - np.repeat(mean_place, length)
    spread = np.add.reduceat(weight * off * off, starts)
    slope = np.add.reduceat(weight * off * logs, starts) / np.where(spread > 0, spread, 1.0)
    decays = (length >= 2) & (slope < 0)
    time = mean_place - (mean_log - np.log(EXTINCT)) / np.where(decays, slope, -1.0)
    times[filled] = np.where(decays & (time > 0), time, np.nan)
    return times


def continuous_durations(cascades: pl.DataFrame) -> pl.DataFrame:
    """Add the extinction time of every cascade.

    Parameters
    ----------
    cascades : polars.DataFrame
        At least ``duration`` and ``activity``, the list of the active nodes at each relaxation step.

    Returns
    -------
    polars.DataFrame
        The same rows and columns, in the same order, and ``continuous``, the extinction time in relaxation steps
        (see :func:`extinction_times`), with ``continuous_reason``: null, or in words why there is none (the ceiling,
        fewer than two active steps, an activity that does not decay).

    Raises
    ------
    InputError
        If columns are missing.
    """
    require_columns(cascades, ("duration", "activity"), "table of cascades")
    profiles = cascades.get_column("activity").fill_null([])
    lengths = profiles.list.len().cast(pl.Int64).to_numpy()
    counts = profiles.explode().drop_nulls().cast(pl.Int64).to_numpy()
    times = pl.Series("continuous", extinction_times(counts, lengths), dtype=pl.Float64).fill_nan(None)
    ceiling = pl.col("ceiling").fill_null(False) if "ceiling" in cascades.columns else pl.lit(False)
    length = pl.lit(pl.Series("length", lengths, dtype=pl.Int64))
    reason = (
        pl.when(ceiling)
        .then(pl.lit("reached the ceiling"))
        .when(length < 2)
        .then(pl.lit("has an activity profile of fewer than two steps"))
        .when(pl.col("continuous").is_null())
        .then(pl.lit("has an activity that does not decay"))
        .otherwise(pl.lit(None, dtype=pl.String))
    )
    return (
        cascades.with_columns(times)
        .with_columns(continuous_reason=reason)
        .with_columns(continuous=pl.when(pl.col("continuous_reason").is_null()).then("continuous"))
    )


def fit_continuous(cascades: pl.DataFrame) -> pl.DataFrame:
    """Fit the exponents with the extinction time in the place of n_steps.

    Parameters
    ----------
    cascades : polars.DataFrame
        As for :func:`gradcascade.scaling.exponents.fit_exponents`, with ``activity``.

    Returns
    -------
    polars.DataFrame
        As :func:`gradcascade.scaling.exponents.fit_exponents`: D is the same, z, beta and delta are those of the
        continuous duration. Cascades without one are left out, and ``reason`` names them where too few are left.

    Raises
    ------
    InputError
        As :func:`gradcascade.scaling.exponents.fit_exponents`.
    """
    rows = prepared(continuous_durations(cascades), ("continuous", "continuous_reason"))
    time, size = pl.col("continuous"), pl.col("size").cast(pl.Float64)
    return fit_rows(
        rows.with_columns(
            duration=time,
            v_abs=size / time,
            v_rel=size / (pl.col("n") * time),
            included=pl.col("included") & time.is_not_null(),
            reason=pl.coalesce("reason", "continuous_reason"),
        )
    )


def rounding(cascades: pl.DataFrame, window: Window = None) -> pl.DataFrame:
    """Say how much of z's scatter over the window is the rounding of the durations.

    Parameters
    ----------
    cascades : polars.DataFrame
        As for :func:`fit_continuous`.
    window : tuple, mapping or None
        As in :func:`gradcascade.scaling.windows.windows`.

    Returns
    -------
    polars.DataFrame
        One row per ``family, field, variant``: ``z`` and ``z_sd``, ``z_continuous`` and ``z_continuous_sd`` (means
        and sample standard deviations over the ``n_steps`` steps of the window that have both),
        ``rounding_sd``, the scatter of z that rounding to whole steps makes by itself (a variance of 1/12 for every
        duration, carried through the fit), ``rounding_share``, its share of z's variance, ``removed_share``, the
        share of z's variance that the continuous duration does not have (negative if it scatters more), and
        ``reason``: null, or why numbers are missing.

    Raises
    ------
    InputError
        As :func:`fit_continuous`, or if the window is not two ordered steps.
    """
    keys = [*FIT_KEYS]
    whole, smooth = (
        fits.filter(pl.col("exponent") == "z").select(*keys, pl.col("value").alias(name), "reason")
        for fits, name in ((fit_rows(prepared(cascades)), "z"), (fit_continuous(cascades), "z_continuous"))
    )
    steps = whole.join(smooth, on=keys, suffix="_smooth").join(_rounding_variance(cascades), on=keys, how="left")
    known = pl.col("_used") & pl.col("z").is_not_null() & pl.col("z_continuous").is_not_null()
    z, smooth_z, noise = (pl.col(name).filter("_known") for name in ("z", "z_continuous", "_variance"))
    spread = pl.when(pl.col("z_sd") > 0).then(pl.col("z_sd") ** 2)
    return (
        steps.with_columns(_used=in_window(steps, window))
        .with_columns(_known=known)
        .group_by(*_GROUP, maintain_order=True)
        .agg(
            z=z.mean(),
            z_sd=z.std(),
            z_continuous=smooth_z.mean(),
            z_continuous_sd=smooth_z.std(),
            rounding_sd=noise.mean().sqrt(),
            n_steps=pl.col("_known").sum().cast(pl.Int64),
            _why=pl.coalesce("reason_smooth", "reason").filter("_used").drop_nulls().first(),
        )
        .with_columns(
            rounding_share=pl.col("rounding_sd") ** 2 / spread,
            removed_share=1 - pl.col("z_continuous_sd") ** 2 / spread,
            reason=pl.when(pl.col("n_steps") == 0)
            .then(pl.coalesce("_why", pl.lit("no step in the window")))
            .when(pl.col("n_steps") == 1)
            .then(pl.lit("only one step in the window has both exponents; a scatter needs two"))
            .when(pl.col("z_sd") == 0)
            .then(pl.lit("z is the same at every step; there is no scatter to divide")),
        )
        .sort(*_GROUP)
        .drop("_why")
    )


def _rounding_variance(cascades: pl.DataFrame) -> pl.DataFrame:
    """Variance of z at each step if every duration is its true value rounded, the errors uniform on one step.

    The derivative of z by one log duration is ``dx / sum dx^2``; replicates of a scale are averaged.
    """
    rows = prepared(cascades).filter("included")
    scale = [*FIT_KEYS, "scale"]
    points = rows.group_by(scale, maintain_order=True).agg(
        x=pl.col("n").cast(pl.Float64).log().first(),
        v=(1 / 12 / pl.col("duration").cast(pl.Float64) ** 2).mean() / pl.len(),
    )
    off = pl.col("x") - pl.col("x").mean()
    squares = (off**2).sum()
    return points.group_by(*FIT_KEYS, maintain_order=True).agg(
        _variance=pl.when(squares > 0).then((off**2 * pl.col("v")).sum() / squares**2)
    )
