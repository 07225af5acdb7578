"""A continuous duration beside n_steps, whose rounding z inherits: the extinction time of the activity profile.

Late in a cascade the activity decays about geometrically; the extinction time is where a straight line through the
logarithm of that decay falls to half an active node.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.scaling.table_checks import require_columns
from gradcascade.tables.reasons import because, columns

TAIL = 30
"""The decay is fitted from the last step with at least this many active nodes on, where counts become small."""

TAIL_STEPS = 3
"""The decay is fitted to at least this many steps, where the cascade has them."""

EXTINCT = 0.5
"""Expected number of active nodes at which a cascade counts as extinct."""


def extinction_times(counts: NDArray[np.integer], lengths: NDArray[np.integer]) -> NDArray[np.float64]:
    """Extrapolate the extinction times of activity profiles.

    Least squares of ``log A_l`` on l with weights ``A_l`` (the inverse variance of the logarithm of a count). No
    bound ties the time to ``n_steps``: a single node that stays active for long moves ``n_steps`` and hardly this.
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
    """Add ``continuous``, the extinction time of every cascade, or ``continuous_code`` and its reason."""
    require_columns(cascades, ("duration", "activity"), "table of cascades")
    profiles = cascades.get_column("activity").fill_null([])
    lengths = profiles.list.len().cast(pl.Int64).to_numpy()
    counts = profiles.explode().drop_nulls().cast(pl.Int64).to_numpy()
    times = pl.Series("continuous", extinction_times(counts, lengths), dtype=pl.Float64).fill_nan(None)
    ceiling = pl.col("ceiling").fill_null(False) if "ceiling" in cascades.columns else pl.lit(False)
    length = pl.lit(pl.Series("length", lengths, dtype=pl.Int64))
    reason = (
        pl.when(ceiling)
        .then(because("ceiling"))
        .when(length < 2)
        .then(because("short-profile"))
        .when(pl.col("continuous").is_null())
        .then(because("no-decay"))
    )
    return (
        cascades.with_columns(times)
        .with_columns(*columns(reason, "continuous_"))
        .with_columns(continuous=pl.when(pl.col("continuous_code").is_null()).then("continuous"))
    )
