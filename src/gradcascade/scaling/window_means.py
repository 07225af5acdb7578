"""Window means with their intervals: steps are correlated, and scales are few.

Two intervals answer two questions. *Along training*: how well the window shows the mean of these very runs, whose
steps are correlated (:mod:`gradcascade.scaling.series_mean`). *Across scales*: how well the scales show a slope at
all; the logarithms are averaged over the window first and a line fitted to one point per scale. It holds for any
correlation along training and contains that runs differ and that the law may not be a straight line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.fields.nulls import NULLS
from gradcascade.scaling.along_training import ALONG_SCHEMA, along_training
from gradcascade.scaling.fits import EXPONENTS
from gradcascade.scaling.points import Cascades, mean_over_runs, points_of
from gradcascade.scaling.regression import CONFIDENCE, MIN_SCALES, fit_lines, t_quantiles
from gradcascade.scaling.table_checks import group_starts
from gradcascade.scaling.windows import Range, Window
from gradcascade.tables.column import ACROSS
from gradcascade.vocabulary import DIFFERENCES, EXPONENT_CHANNELS, PUBLISHED_NULLS, REAL, polars_schema

PARTS = {name: (part.minuend, part.subtrahend) for name, part in DIFFERENCES.items()}
"""The null differences of arXiv:2605.02968: first variant less second."""

MEAN_SCHEMA = ALONG_SCHEMA | polars_schema(ACROSS)
"""Columns of the answers, in order, behind those that name the row."""

_LOGS = [f"log_{channel}" for channel in EXPONENT_CHANNELS.values()]
_POINT = ("family", "field", "step", "scale")
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
    return _answers(points.logs.rename({"variant": "_what"}), every, points.windows, confidence, along).rename(
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
    differences = differenced(points.run_logs, parts).rename({"difference": "_what"})
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


def differenced(run_logs: pl.DataFrame, parts: Mapping[str, tuple[str, str]]) -> pl.DataFrame:
    """Subtract the logarithms of two variants at every step and run that both have, then average over runs."""
    tables = []
    key = [*_POINT, "run"]
    for name, (first, second) in parts.items():
        one = run_logs.filter(pl.col("variant") == first)
        other = run_logs.filter(pl.col("variant") == second).select(*key, *_LOGS)
        joined = one.join(other, on=key, suffix="_other", maintain_order="left").with_columns(
            *(pl.col(log) - pl.col(f"{log}_other") for log in _LOGS), difference=pl.lit(name)
        )
        tables.append(mean_over_runs(joined.select(*key, "difference", "log_n", *_LOGS), [*_POINT, "difference"]))
    return pl.concat(tables)


def _answers(
    points: pl.DataFrame, every: pl.DataFrame, chosen: Mapping[tuple[str, str], Range], confidence: float, along: bool
) -> pl.DataFrame:
    """Both intervals of every trajectory in ``every`` (columns family, field, _what)."""
    key = ["family", "field", "_what"]
    points = points.sort(*key, "step", "log_n", "scale")
    trajectories = dict(_matrices(points, chosen))
    rows: list[dict[str, Any]] = []
    series: list[Floats] = []
    for name in every.sort(key).iter_rows():
        x, logs = trajectories.get(name, (np.zeros((0, 0)), np.zeros((len(EXPONENTS), 0, 0))))
        slopes = _slopes(x, logs) if along else None
        across = _across_scales(x, logs, confidence)
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


def _matrices(
    points: pl.DataFrame, chosen: Mapping[tuple[str, str], Range]
) -> Iterator[tuple[tuple[str, str, str], tuple[Floats, Floats]]]:
    """Log n, shape (steps, scales), and the logs, shape (exponents, steps, scales), of each trajectory's window."""
    for start, rows in _runs(points, ("family", "field", "_what")):
        name = points.select("family", "field", "_what").row(start)
        first, last = chosen[name[0], name[1]]
        part = points[start : start + rows]
        part = part.filter(pl.col("step").is_between(first, last))
        steps, row = np.unique(part["step"].to_numpy(), return_inverse=True)
        scales, column = np.unique(part["scale"].to_numpy().astype(str), return_inverse=True)
        x = np.full((steps.size, scales.size), np.nan)
        logs = np.full((len(EXPONENTS), steps.size, scales.size), np.nan)
        x[row, column] = part["log_n"].to_numpy()
        logs[:, row, column] = part.select(_LOGS).to_numpy().T
        yield name, (x, logs)


def _runs(table: pl.DataFrame, keys: tuple[str, ...]) -> Iterator[tuple[int, int]]:
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


def _across_scales(x: Floats, logs: Floats, confidence: float) -> list[dict[str, Any]]:
    there = np.isfinite(x)
    kept = there.sum(axis=0) * 2 >= x.shape[0]
    complete = there[:, kept].all(axis=1)
    scales, steps = int(kept.sum()), int(complete.sum())
    reason = None
    if not x.size:
        reason = "no cascade in the window can be used"
    elif scales < MIN_SCALES:
        reason = f"only {scales} scale{' is' if scales == 1 else 's are'} there at half of the window's steps or more"
    elif not steps:
        reason = f"at no step of the window are all {scales} scales there"
    elif np.ptp(x[complete][:, kept].mean(axis=0)) == 0:
        reason = f"the {scales} scales all have the same n; a slope needs different ones"
    counts = {"n_scales": scales, "scales_steps": steps, "scales_reason": reason}
    if reason is not None:
        return [counts] * len(EXPONENTS)
    places = x[complete][:, kept].mean(axis=0)
    means = logs[:, complete][:, :, kept].mean(axis=1)
    lines = fit_lines(np.tile(places, len(EXPONENTS)), means.ravel(), np.arange(len(EXPONENTS)) * scales)
    half = t_quantiles(np.array(scales - 2), confidence) * lines.se
    names = ("scales_value", "scales_se", "scales_low", "scales_high")
    ends = zip(lines.value, lines.se, lines.value - half, lines.value + half, strict=True)
    return [dict(zip(names, map(float, row), strict=True)) | counts for row in ends]
