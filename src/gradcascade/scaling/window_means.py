"""Window means with their intervals: steps are correlated, and scales are few.

Two intervals answer two questions. *Along training* only describes these very runs, whose steps are correlated
(:mod:`gradcascade.scaling.series_mean`); as soon as runs differ, it says nothing about other ones, and nothing rests
on it. *Across scales*: how well the scales show a slope at all. The logarithms of every run are averaged over the
window first (:mod:`gradcascade.scaling.run_means`), the runs of a scale are averaged, and a line is fitted to one
point per scale. It holds for any correlation along training and contains that runs differ and that the law may not
be a straight line; what the scatter of runs adds to its error is in :mod:`gradcascade.scaling.run_errors`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.fields.nulls import NULLS
from gradcascade.scaling.along_training import ALONG_SCHEMA, along_training
from gradcascade.scaling.fits import EXPONENTS
from gradcascade.scaling.points import Cascades, Points, mean_over_runs, points_of
from gradcascade.scaling.regression import CONFIDENCE, MIN_SCALES, fit_lines, t_quantile
from gradcascade.scaling.run_errors import ORDINARY, SizeMeans, coefficient_errors, size_means
from gradcascade.scaling.run_means import RunMeans, run_means
from gradcascade.scaling.table_checks import group_starts
from gradcascade.scaling.windows import Range, Window
from gradcascade.tables.column import ACROSS
from gradcascade.tables.reasons import told
from gradcascade.vocabulary import DIFFERENCES, EXPONENT_CHANNELS, PUBLISHED_NULLS, REAL, polars_schema

PARTS = {name: (part.minuend, part.subtrahend) for name, part in DIFFERENCES.items()}
"""The null differences of arXiv:2605.02968: first variant less second."""

MEAN_SCHEMA = ALONG_SCHEMA | polars_schema(ACROSS)
"""Columns of the answers, in order, behind those that name the row."""

_LOGS = [f"log_{channel}" for channel in EXPONENT_CHANNELS.values()]
_RUN = ("family", "field", "step", "scale", "run")
Floats = NDArray[np.float64]


def all_parts(variants: Iterable[str]) -> dict[str, tuple[str, str]]:
    """The published differences, and for every further null what it destroys: the real field less that null."""
    further = set(variants) - {REAL, *PUBLISHED_NULLS}
    known = [name for name in NULLS if name in further]
    return PARTS | {name: (REAL, name) for name in (*known, *sorted(further - set(known)))}


def window_intervals(
    cascades: Cascades, window: Window = None, confidence: float = CONFIDENCE, *, along: bool = True
) -> pl.DataFrame:
    """Mean of every exponent over the window, with both intervals; without ``along``, which is slow, only one."""
    points = points_of(cascades, window)
    every = points.rows.select("family", "field", pl.col("variant").alias("_what")).unique()
    return _answers(points.run_logs.rename({"variant": "_what"}), every, points.windows, confidence, along).rename(
        {"_what": "variant"}
    )


def window_differences(
    cascades: Cascades,
    window: Window = None,
    confidence: float = CONFIDENCE,
    parts: Mapping[str, tuple[str, str]] = PARTS,
    *,
    along: bool = True,
) -> pl.DataFrame:
    """Difference of every exponent between two variants over the window, with both intervals.

    Logarithms are subtracted step by step and run by run before anything is fitted: what both variants share drops
    out.
    """
    points = points_of(cascades, window)
    asked = known_parts(points.rows, parts).rename({"difference": "_what"})
    order = {name: place for place, name in enumerate(parts)}
    differences = run_differences(points.run_logs, parts).rename({"difference": "_what"})
    return (
        _answers(differences, asked, points.windows, confidence, along)
        .sort("family", "field", pl.col("_what").replace_strict(order, return_dtype=pl.Int64), maintain_order=True)
        .rename({"_what": "difference"})
    )


def known_parts(rows: pl.DataFrame, parts: Mapping[str, tuple[str, str]]) -> pl.DataFrame:
    """Which differences each family and field has cascades for."""
    present = {key: set(part["variant"]) for key, part in rows.group_by("family", "field")}
    every = [
        (*key, name) for name, both in parts.items() for key, variants in present.items() if set(both) <= variants
    ]
    return pl.DataFrame(every, schema=dict.fromkeys(("family", "field", "difference"), pl.String), orient="row")


def run_differences(run_logs: pl.DataFrame, parts: Mapping[str, tuple[str, str]]) -> pl.DataFrame:
    """Subtract the logarithms of two variants at every step and run that has both."""
    tables = []
    for name, (first, second) in parts.items():
        one = run_logs.filter(pl.col("variant") == first)
        other = run_logs.filter(pl.col("variant") == second).select(*_RUN, *_LOGS)
        joined = one.join(other, on=list(_RUN), suffix="_other", maintain_order="left").with_columns(
            *(pl.col(log) - pl.col(f"{log}_other") for log in _LOGS), difference=pl.lit(name)
        )
        tables.append(joined.select(*_RUN, "difference", "log_n", *_LOGS).drop_nulls(_LOGS))
    return pl.concat(tables)


def differenced(run_logs: pl.DataFrame, parts: Mapping[str, tuple[str, str]]) -> pl.DataFrame:
    """The same averaged over the runs of every scale."""
    each = run_differences(run_logs, parts).partition_by("difference", maintain_order=True)
    key = [*_RUN[:-1], "difference"]
    empty = run_differences(run_logs.clear(), parts).drop("run")
    return pl.concat([empty, *(mean_over_runs(part, key).select(empty.columns) for part in each)])


def _answers(
    runs: pl.DataFrame, every: pl.DataFrame, chosen: Mapping[tuple[str, str], Range], confidence: float, along: bool
) -> pl.DataFrame:
    """Both intervals of every trajectory in ``every`` (columns family, field, _what)."""
    key = ["family", "field", "_what"]
    known = {each.name: each for each in of_runs(runs, chosen)}
    rows: list[dict[str, Any]] = []
    series: list[Floats] = []
    for name in every.sort(key).iter_rows():
        each = known.get(name) or RunSteps.none(name)
        slopes = each.slopes() if along else None
        across = across_scales(each.means(), confidence)
        for place, exponent in enumerate(EXPONENTS):
            if slopes is not None:
                series.append(slopes[place][np.isfinite(slopes[place])])
            rows.append(dict(zip(key, name, strict=True)) | {"exponent": exponent} | across[place])
    if along:
        for row, answer in zip(rows, along_training(series, confidence), strict=True):
            row |= answer
    kept = {name: kind for name, kind in MEAN_SCHEMA.items() if along or name not in ALONG_SCHEMA}
    schema = {name: pl.String for name in (*key, "exponent")} | kept
    return pl.DataFrame(rows, schema=schema)


@dataclass(frozen=True)
class RunSteps:
    """One trajectory in its window: log n, shape (steps, runs), the logs in front of that, and each run's scale."""

    name: tuple[str, str, str]
    steps: NDArray[np.int64]
    x: Floats
    logs: Floats
    scale: NDArray[np.int64]

    @property
    def names(self) -> dict[str, Any]:
        """The columns that name the trajectory."""
        return dict(zip(("family", "field", "variant"), self.name, strict=True))

    @classmethod
    def none(cls, name: tuple[str, str, str]) -> RunSteps:
        """A trajectory without a cascade."""
        none = np.zeros(0, dtype=np.int64)
        return cls(name, none, np.zeros((0, 0)), np.zeros((len(EXPONENTS), 0, 0)), none)

    def means(self) -> RunMeans:
        """One mean per run."""
        return run_means(self.x, self.logs, self.scale)

    def slopes(self) -> Floats:
        """Slopes of every exponent at every step over the scales, their runs averaged."""
        if np.unique(self.scale).size == self.scale.size:
            return _slopes(self.x, self.logs)
        there, group = np.isfinite(self.x), np.eye(int(self.scale.max()) + 1)[self.scale]
        count = there @ group
        with np.errstate(divide="ignore", invalid="ignore"):
            x, logs = (
                np.where(count > 0, np.where(there, v, 0) @ group / count, np.nan) for v in (self.x, self.logs)
            )
        return _slopes(x, logs)


def trajectories(points: Points) -> Iterator[RunSteps]:
    """Every family, field and variant in its window, also those of which no cascade counts."""
    found = {each.name: each for each in of_runs(points.run_logs, points.windows, "variant")}
    for name in (
        points.rows.select("family", "field", "variant").unique().sort("family", "field", "variant").iter_rows()
    ):
        yield found.get(name) or RunSteps.none(name)


def of_runs(runs: pl.DataFrame, chosen: Mapping[tuple[str, str], Range], what: str = "_what") -> Iterator[RunSteps]:
    """The trajectories of a table of the runs' logarithms, each in its window."""
    runs = runs.sort("family", "field", what, "step", "log_n", "scale", "run")
    for start, rows in _groups(runs, ("family", "field", what)):
        name = runs.select("family", "field", what).row(start)
        first, last = chosen[name[0], name[1]]
        part = runs[start : start + rows]
        part = part.filter(pl.col("step").is_between(first, last))
        steps, row = np.unique(part["step"].to_numpy(), return_inverse=True)
        scale = np.unique(part["scale"].to_numpy().astype(str), return_inverse=True)[1]
        run = np.unique(part["run"].to_numpy().astype(str), return_inverse=True)[1]
        named, column = np.unique(scale * (run.max(initial=0) + 1) + run, return_inverse=True)
        x = np.full((steps.size, named.size), np.nan)
        logs = np.full((len(EXPONENTS), steps.size, named.size), np.nan)
        x[row, column] = part["log_n"].to_numpy()
        logs[:, row, column] = part.select(_LOGS).to_numpy().T
        yield RunSteps(name, steps, x, logs, (named // (run.max(initial=0) + 1)).astype(np.int64))


def _groups(table: pl.DataFrame, keys: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    starts = group_starts(table, keys)
    yield from zip(starts.tolist(), np.diff(starts, append=table.height).tolist(), strict=True)


def _slopes(x: Floats, logs: Floats) -> Floats:
    """Slopes of every exponent at every step, shape (exponents, steps); NaN where a step has too few scales."""
    there = np.isfinite(x)
    count = there.sum(axis=1)
    off = np.where(there, x, 0) - (np.where(there, x, 0).sum(axis=1) / np.maximum(count, 1))[:, None]
    off = np.where(there, off, 0.0)
    squares = (off**2).sum(axis=1)
    fitted = (count >= MIN_SCALES) & (squares > 0)
    level = np.where(there, logs, 0).sum(axis=2) / np.maximum(count, 1)
    sums = (off * (np.where(there, logs, 0) - level[:, :, None])).sum(axis=2)
    return np.where(fitted, sums / np.where(fitted, squares, 1.0), np.nan)


def across_scales(runs: RunMeans, confidence: float = CONFIDENCE) -> list[dict[str, Any]]:
    """The columns of a slope across scales, of every exponent, from one mean per run."""
    reason = runs.no_line
    counts: dict[str, Any] = {
        "n_scales": runs.sizes,
        "n_runs": int(runs.size.size),
        "scales_steps": runs.steps,
    } | told(reason, "scales_")
    if reason is not None:
        return [counts] * len(EXPONENTS)
    sizes = size_means(runs)
    value, se, method = slopes_across(sizes)
    half = t_quantile(runs.sizes - 2, confidence) * se
    names = ("scales_value", "scales_se", "scales_low", "scales_high")
    ends = zip(value, se, value - half, value + half, strict=True)
    return [dict(zip(names, map(float, row), strict=True)) | counts | {"scales_method": method} for row in ends]


def slopes_across(sizes: SizeMeans) -> tuple[Floats, Floats, str]:
    """Slope of every channel through one point per scale, its standard error (k - 2 degrees of freedom), and how."""
    scales = sizes.log_n.size
    lines = fit_lines(
        np.tile(sizes.log_n, len(sizes.means)), sizes.means.ravel(), np.arange(len(sizes.means)) * scales
    )
    design = np.stack([np.ones(scales), sizes.log_n - sizes.log_n.mean()], axis=1)
    se, method = coefficient_errors(sizes, design, 1)
    # A line through equal points has no error, whatever rounding leaves of it.
    return lines.value, np.where(lines.se > 0, lines.se if method == ORDINARY else se, 0.0), method
