"""The one checked table that every answer starts from: cascades with their channels, a point per scale and step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from gradcascade.errors import InputError
from gradcascade.scaling.channels import LABELS, channels, derived, runs
from gradcascade.scaling.extinction import continuous_durations
from gradcascade.scaling.fits import fit_points
from gradcascade.scaling.regression import group_means
from gradcascade.scaling.table_checks import FIT_KEYS, group_starts
from gradcascade.scaling.windows import Range, Window, windows
from gradcascade.tables.reasons import columns, kept
from gradcascade.vocabulary import CHANNELS

ORDER = (*FIT_KEYS, "scale", "run", "replicate")
"""What names a cascade, and the order of the rows."""

_LOGS = [f"log_{name}" for name in ("n", *CHANNELS)]


@dataclass(frozen=True)
class Points:
    """Cascades checked once, in :data:`ORDER` with their channels, and the first and last step of every window."""

    rows: pl.DataFrame
    windows: dict[tuple[str, str], Range]

    @classmethod
    def of(cls, cascades: pl.DataFrame, window: Window = None) -> Points:
        """Check a table of cascades, as :func:`gradcascade.scaling.channels.channels` does, and sort it."""
        table = channels(cascades)
        replicate = pl.col("replicate") if "replicate" in table.columns else pl.lit(0, dtype=pl.Int64)
        rows = table.with_columns(
            pl.col(*LABELS).cast(pl.String), pl.col("step").cast(pl.Int64), run=runs(table), replicate=replicate
        ).sort(ORDER)
        _check_one_n(rows.filter("included"))
        return cls(rows, windows(rows, window))

    def within(self, window: Window) -> Points:
        """The same cascades with another window."""
        return replace(self, windows=windows(self.rows, window))

    def only(self, *rule: pl.Expr) -> Points:
        """The cascades that a rule keeps; the windows stay."""
        rows = self.rows.filter(*rule)
        groups = set(rows.select("family", "field").unique().iter_rows())
        return Points(rows, {group: window for group, window in self.windows.items() if group in groups})

    @cached_property
    def run_logs(self) -> pl.DataFrame:
        """Mean natural logarithms over the included replicates of every run of a scale, sorted."""
        included = self.rows.filter("included")
        starts = group_starts(included, ORDER[:-1])
        return included.select(*ORDER[:-1], "n")[starts].with_columns(
            pl.Series(
                f"log_{name}", group_means(np.log(values.cast(pl.Float64).to_numpy()), starts), dtype=pl.Float64
            )
            for name, values in ((name, included.get_column(name)) for name in ("n", *CHANNELS))
        )

    @cached_property
    def logs(self) -> pl.DataFrame:
        """The points that lines are fitted to: means over the runs of every scale, each run with one weight."""
        return mean_over_runs(self.run_logs, [*FIT_KEYS, "scale"])

    @cached_property
    def fits(self) -> pl.DataFrame:
        """Every exponent at every step."""
        return fit_points(self.rows, self.logs)

    @cached_property
    def continuous(self) -> Points:
        """The same cascades with the extinction time in the place of n_steps; those without one are left out."""
        time = pl.col("continuous")
        timed = continuous_durations(self.rows).with_columns(
            *columns(pl.coalesce(kept(), kept("continuous_"))),
            duration=time,
            included=pl.col("included") & time.is_not_null(),
        )
        return Points(timed.with_columns(**derived()), self.windows)

    @cached_property
    def n_runs(self) -> pl.DataFrame:
        """Runs of every scale that enter the fits: ``family, field, scale, n_runs``, small scales first."""
        key = ["family", "field", "scale"]
        return (
            self.rows.filter("included", pl.col("variant") == "real")
            .group_by(key)
            .agg(pl.col("n").max(), n_runs=pl.col("run").n_unique().cast(pl.Int64))
            .sort("family", "field", "n", "scale")
            .select(*key, "n_runs")
        )


Cascades = pl.DataFrame | Points
"""A table of cascades, or one that was checked already."""


def points_of(cascades: Cascades, window: Window = None) -> Points:
    """Check a table of cascades, unless that was done; a window given here goes before the one it came with."""
    if isinstance(cascades, Points):
        return cascades if window is None else cascades.within(window)
    return Points.of(cascades, window)


def mean_over_runs(logs: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Average the logarithms over the runs of every scale, in a table sorted by ``keys`` and run."""
    starts = group_starts(logs, keys)
    kept = [name for name in logs.columns if name not in (*_LOGS, "run")]
    return logs.select(kept)[starts].with_columns(
        pl.Series(name, group_means(logs.get_column(name).to_numpy(), starts), dtype=pl.Float64)
        for name in _LOGS
        if name in logs.columns
    )


def _check_one_n(rows: pl.DataFrame) -> None:
    """A scale is one field size; two of them under one name would be averaged into a size that no model has."""
    counts = rows.group_by(*FIT_KEYS, "scale").agg(pl.col("n").min().alias("least"), pl.col("n").max().alias("most"))
    mixed = counts.filter(pl.col("least") != pl.col("most")).sort(*FIT_KEYS, "scale")
    if mixed.height:
        row = mixed.row(0, named=True)
        raise InputError(
            f"scale {row['scale']} of {row['family']} has fields of {row['least']} and of {row['most']} entries at "
            f"step {row['step']}; give the two field sizes two scale names"
        )
