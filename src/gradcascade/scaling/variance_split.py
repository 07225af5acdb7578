"""Where the logarithm of a channel varies: between scales off the law, runs, steps, draws and orders."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from gradcascade.scaling.fits import EXPONENTS
from gradcascade.scaling.points import Cascades, Points, points_of
from gradcascade.scaling.run_errors import scatter, size_means
from gradcascade.scaling.run_means import Flags, Floats, two_way
from gradcascade.scaling.table_checks import FIT_KEYS
from gradcascade.scaling.weighted import once_drawn
from gradcascade.scaling.window_means import RunSteps, trajectories
from gradcascade.scaling.windows import Window
from gradcascade.tables.inferred import INFERRED
from gradcascade.tables.reasons import told
from gradcascade.vocabulary import DRAW, EXPONENT_CHANNELS

SPLIT_SCHEMA = INFERRED["variances"].schema


def variance_split(cascades: Cascades, window: Window = None) -> pl.DataFrame:
    """Standard deviations of the logarithm of every channel, by what makes them, over the window.

    By moments of a two-way model of runs and steps. A run's own level and the mean of its correlated steps cannot be
    told apart, so ``run_sd`` is of runs' means over the window. Nothing negative is left of a variance: it counts as
    0. ``order_sd`` is not in a table of cascades; :func:`gradcascade.scaling.order_sensitivity.order_scatter` has it.
    """
    points = points_of(cascades, window)
    draws = {channel: _draws(points, channel) for channel in EXPONENT_CHANNELS.values()}
    rows = []
    for each in trajectories(points):
        parts = _parts(each)
        for place, channel in enumerate(EXPONENT_CHANNELS.values()):
            found = {name: float(sd[place]) for name, sd in parts[0].items() if np.isfinite(sd[place])}
            rows.append(each.names | {"channel": channel} | draws[channel].get(each.name, {}) | found | parts[1])
    return pl.DataFrame(rows, schema=SPLIT_SCHEMA)


def _draws(points: Points, channel: str) -> dict[tuple[str, str, str], dict[str, float]]:
    """SD between draws of the data and between a null's draws of the same data at one step, pooled over the rest.

    By moments of nested draws: ``replicate`` counts :data:`gradcascade.vocabulary.DRAW` more for each draw of the
    data.
    """
    key = ["family", "field", "variant"]
    cell = [*FIT_KEYS, "scale", "run"]
    log = pl.col(channel).cast(pl.Float64).log()
    # In order, since sums of floating-point numbers depend on it.
    drawn = (
        once_drawn(points.rows.filter("included"))
        .group_by(*cell, _data=pl.col("replicate") // DRAW, maintain_order=True)
        .agg(_mean=log.mean(), _squares=((log - log.mean()) ** 2).sum(), _n=pl.len().cast(pl.Float64))
    )
    mean = pl.col("_mean")
    cells = drawn.group_by(cell, maintain_order=True).agg(
        within=pl.col("_squares").sum(),
        free=(pl.col("_n") - 1).sum(),
        between=((mean - mean.mean()) ** 2).sum(),
        draws=pl.len().cast(pl.Float64) - 1,
        share=(1 / pl.col("_n")).mean() * (pl.len() - 1),
    )
    found = {}
    for row in (
        cells.group_by(key, maintain_order=True)
        .agg(pl.col("within", "free", "between", "draws", "share").sum())
        .to_dicts()
    ):
        null = row["within"] / row["free"] if row["free"] else None
        parts = {} if null is None else {"draw_sd": null**0.5}
        if row["draws"]:
            parts["data_sd"] = max(0.0, (row["between"] - (null or 0.0) * row["share"]) / row["draws"]) ** 0.5
        found[row["family"], row["field"], row["variant"]] = parts
    return found


def _parts(each: RunSteps) -> tuple[dict[str, Floats], dict[str, Any]]:
    means = each.means()
    if means.no_line:
        return {}, means.counts | told(means.no_line)
    there: Flags = np.isfinite(each.x)
    used = there.any(axis=1)
    there, logs = there[used], np.where(there, each.logs, 0.0)[:, used]
    nothing = np.full(len(EXPONENTS), np.nan)
    steps, runs, cells = *there.shape, int(there.sum())
    rest = common = nothing
    free = cells - runs - steps + 1
    if free > 0:
        levels = two_way(logs, there)
        off = np.where(there, logs - levels[:, None], 0.0)
        effects = off.sum(axis=2) / there.sum(axis=1)
        left = np.where(there, off - effects[:, :, None], 0.0)
        rest = (left**2).sum(axis=(1, 2)) / free
        common = np.maximum(0.0, effects.var(axis=1, ddof=1) - rest * (1 / there.sum(axis=1)).mean())
    run, scale = scatter(size_means(means))
    found = {"scale_sd": scale, "run_sd": run, "common_sd": common, "step_sd": rest}
    return {name: np.sqrt(value) for name, value in found.items()}, means.counts
