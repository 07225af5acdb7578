"""Activity profiles averaged over cascades: the share of the entries that is active in each relaxation step."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


def mean_profiles(cascades: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Mean ``share`` |A_l| / N by ``relaxation_step`` over the cascades that agree in ``keys`` (n among them).

    One that has stopped counts as zero; ``alive`` of ``cascades`` are still active. Empty without activity.
    """
    if "activity" not in cascades.columns:
        numbers = {"relaxation_step": pl.Int64, "share": pl.Float64, "alive": pl.Int64, "cascades": pl.Int64}
        return pl.DataFrame(schema={name: cascades.schema[name] for name in keys} | numbers)
    total = cascades.group_by(keys).agg(cascades=pl.len())
    kept = cascades.select(*keys, "activity")
    long = kept.with_columns(relaxation_step=pl.int_ranges(0, pl.col("activity").list.len()))
    long = long.explode("activity", "relaxation_step").filter(pl.col("activity") > 0)
    sums = long.group_by(*keys, "relaxation_step").agg(active=pl.col("activity").sum(), alive=pl.len())
    profiles = sums.join(total, on=keys).with_columns(share=pl.col("active") / pl.col("n") / pl.col("cascades"))
    return profiles.select(*keys, "relaxation_step", "share", "alive", "cascades").sort(*keys, "relaxation_step")
