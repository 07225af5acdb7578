"""Activity profiles averaged over cascades: the share of the entries that is active in each relaxation step."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from gradcascade.scaling.collapse import LEAST


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


def scaled_profiles(cascades: pl.DataFrame, keys: Sequence[str], exponents: pl.DataFrame) -> pl.DataFrame:
    """Mean profiles as ``height`` log A_l / log A_0 by ``scaled_step`` l / (N / least N)^z.

    ``exponents`` has z (and what else is wanted) by some of the ``keys``. Only points are kept that a collapse uses:
    as long as ten nodes or more are active on average.
    """
    shared = [name for name in keys if name in exponents.columns]
    means = mean_profiles(cascades, keys).join(exponents, on=shared)
    count = pl.col("share") * pl.col("n")
    start = count.filter(pl.col("relaxation_step") == 0).first().over(keys)
    power = (pl.col("n") / pl.col("n").min().over(shared)).pow(pl.col("z"))
    kept = means.with_columns(
        scaled_step=pl.col("relaxation_step") / power, height=count.log() / start.log(), _few=(count < LEAST)
    ).filter(pl.col("_few").cum_sum().over(keys, order_by="relaxation_step") == 0)
    more = [name for name in exponents.columns if name not in (*shared, "z")]
    return kept.select(*keys, "relaxation_step", "scaled_step", "height", "z", *more).sort(*keys, "relaxation_step")
