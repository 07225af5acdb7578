"""R2 along the ladder, over runs: the matched runs of one seed at all scales are one family as published.

Each seed's scales are fitted step by step, one run of each as in arXiv:2605.02968, and R2 averaged over the window;
the seeds are then independent repetitions with r - 1 degrees of freedom. So an interval says how R2 would come out
with other runs of these very scales, not with other scales.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from gradcascade.scaling.combinations import Combination, two_sided
from gradcascade.scaling.ladder import Ladder
from gradcascade.scaling.points import Points
from gradcascade.scaling.regression import MIN_SCALES, t_quantile
from gradcascade.scaling.schemas import numbers, texts, wholes
from gradcascade.tables.reasons import Reason, told
from gradcascade.vocabulary import REAL

R2_SCHEMA = (
    texts("condition", "rung", "field")
    | wholes("span")
    | texts("variant", "exponent")
    | numbers("value", "low", "high")
    | wholes("n_seeds", "n_scales")
    | texts("code", "reason")
)
"""Columns of R2 along the ladder, in order."""


def seed_r2(ladder: Ladder) -> pl.DataFrame:
    """Mean R2 over the window, by family, field, variant and exponent, of every seed with a run of every scale."""
    scales = ladder.points.rows.get_column("scale").n_unique()
    runs = ladder.points.run_logs.group_by("run").agg(pl.col("scale").n_unique()).sort("run")
    found = []
    for run, count in runs.iter_rows():
        if count == scales and scales >= MIN_SCALES:
            own: Points = ladder.points.only(pl.col("run") == run)
            complete = own.fits.filter(pl.col("n_scales") == scales)
            means = complete.group_by("family", "field", "variant", "exponent").agg(pl.col("r2").mean())
            found.append(means.with_columns(run=pl.lit(run)))
    empty = ladder.points.fits.clear().select("family", "field", "variant", "exponent", "r2")
    return pl.concat([empty.with_columns(run=pl.lit(None, dtype=pl.String)), *found]).drop_nulls("r2")


def ladder_r2(ladder: Ladder, seeds: pl.DataFrame) -> pl.DataFrame:
    """R2 at every rung with its interval over seeds, cut off at 0 and 1."""
    keys = ["family", "field", "variant", "exponent"]
    scales = ladder.points.rows.get_column("scale").n_unique()
    rows = []
    for key, part in seeds.sort(*keys, "run").group_by(keys, maintain_order=True):
        found = _mean(part.get_column("r2").to_numpy())
        ends = {end: None if found[end] is None else min(max(found[end], 0.0), 1.0) for end in ("low", "high")}
        rows.append(dict(zip(keys, key, strict=True)) | found | ends | {"n_scales": scales})
    schema = texts(*keys) | {
        name: kind for name, kind in R2_SCHEMA.items() if name not in ("condition", "rung", "span")
    }
    table = ladder.named(pl.DataFrame(rows, schema=schema))
    return table.sort(ladder.place(), pl.col("variant") != REAL, "variant", maintain_order=True).select(
        pl.col(name).cast(kind) for name, kind in R2_SCHEMA.items()
    )


def combined_r2(seeds: pl.DataFrame, asked: Iterable[Combination]) -> list[dict[str, Any]]:
    """The sums of R2 of durations, seed by seed, with interval and p value: rows of ``name, exponent "R2", ...``."""
    real = seeds.filter(pl.col("variant") == REAL, pl.col("exponent") == "z")
    known = {
        (family, field, run): r2 for family, field, run, r2 in real.select("family", "field", "run", "r2").rows()
    }
    runs = sorted(set(real.get_column("run")))
    rows: list[dict[str, Any]] = []
    for each in asked:
        complete = [run for run in runs if all((*key, run) in known for key in each.weights)]
        sums = np.array([sum(weight * known[*key, run] for key, weight in each.weights.items()) for run in complete])
        found = _mean(sums)
        n_seeds = found.pop("n_seeds")
        p = two_sided(found["value"], found["se"], n_seeds - 1) if n_seeds > 1 else None
        rows.append({"name": each.name, "exponent": "R2", "n_runs": n_seeds, "p": p} | found)
    return rows


def _mean(values: np.ndarray) -> dict[str, Any]:
    count = values.size
    row: dict[str, Any] = {"value": None, "se": None, "low": None, "high": None, "n_seeds": count}
    if not count:
        return row | told(Reason.of("no-seed"))
    value = float(values.mean())
    row |= {"value": value} | told(Reason.of("one-seed") if count == 1 else None)
    if count > 1:
        se = float(values.std(ddof=1) / np.sqrt(count))
        half = t_quantile(count - 1) * se
        row |= {"se": se, "low": value - half, "high": value + half}
    return row
