"""The answers over the window by every duration: n_steps as published, the extinction time, the whole profile."""

from __future__ import annotations

import polars as pl

from gradcascade.scaling.points import Points
from gradcascade.scaling.profile_collapse import Collapse
from gradcascade.scaling.regression import MIN_SCALES
from gradcascade.scaling.verdict import verdicts
from gradcascade.scaling.window_means import window_intervals
from gradcascade.tables.inferred import INFERRED
from gradcascade.vocabulary import REAL

DURATIONS = ("n_steps", "continuous", "profile")
"""By name, in the order of every table."""

INTERVAL_SCHEMA = INFERRED["duration_intervals"].schema
RUN_SCHEMA = INFERRED["run_intervals"].schema


def by_duration(points: Points, collapse: Collapse) -> dict[str, Points]:
    """The same cascades with each of the durations."""
    return dict(zip(DURATIONS, (points, points.continuous, collapse.points), strict=True))


def duration_verdicts(durations: dict[str, Points]) -> pl.DataFrame:
    """The verdicts by every duration."""
    found = [verdicts(points).insert_column(2, pl.lit(name).alias("duration")) for name, points in durations.items()]
    return pl.concat(found).sort("family", "field", maintain_order=True)


def duration_intervals(durations: dict[str, Points]) -> pl.DataFrame:
    """The exponents over the window, across scales, by every duration."""
    found = [_across(points).with_columns(duration=pl.lit(name)) for name, points in durations.items()]
    table = pl.concat(found).sort("family", "field", "variant", maintain_order=True)
    return table.select(pl.col(name).cast(kind) for name, kind in INTERVAL_SCHEMA.items())


def run_intervals(durations: dict[str, Points]) -> pl.DataFrame:
    """The exponents of the runs of one label alone, where three scales or more have one of this label.

    Runs of one label share a seed and nothing else. Empty where no scale has several runs.
    """
    rows = next(iter(durations.values())).rows.filter(pl.col("variant") == REAL)
    scales = rows.group_by("family", "run").agg(pl.col("scale").n_unique()).sort("family", "run")
    several = scales.filter(pl.col("run").n_unique().over("family") > 1, pl.col("scale") >= MIN_SCALES)
    found = [
        _across(
            points.only(pl.col("family") == family, pl.col("run") == run, pl.col("variant") == REAL)
        ).with_columns(run=pl.lit(run), duration=pl.lit(name))
        for name, points in durations.items()
        for family, run, _ in several.iter_rows()
    ]
    if not found:
        return pl.DataFrame(schema=RUN_SCHEMA)
    table = pl.concat(found).sort("family", "field", "run", maintain_order=True)
    return table.select(pl.col(name).cast(kind) for name, kind in RUN_SCHEMA.items())


def _across(points: Points) -> pl.DataFrame:
    return window_intervals(points, along=False)
