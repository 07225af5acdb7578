"""Channels of every scale at every step, averaged over the replicates and runs that enter the fits."""

from __future__ import annotations

import polars as pl

from gradcascade.scaling.table_checks import FIT_KEYS
from gradcascade.vocabulary import CHANNELS


def replicate_means(channels: pl.DataFrame) -> pl.DataFrame:
    """Geometric means of the channels over included cascades: over the replicates of each run, then over the runs."""
    keys = [*FIT_KEYS, "scale", "n"]
    means = [name for name in ("size_per_n", *CHANNELS) if name in channels.columns]
    logs = channels.filter("included").select(
        *keys,
        *(["run"] if "run" in channels.columns else []),
        *(pl.col(name).cast(pl.Float64).log() for name in means),
    )
    if "run" in logs.columns:
        logs = logs.group_by(*keys, "run").agg(pl.col(means).mean())
    return logs.group_by(keys).agg(pl.col(means).mean().exp()).sort(keys)
