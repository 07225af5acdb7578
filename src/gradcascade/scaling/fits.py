"""Straight lines through the points of every fit: one per step and exponent (arXiv:2605.02968)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade import vocabulary
from gradcascade.scaling.regression import MIN_SCALES, fit_lines
from gradcascade.scaling.table_checks import FIT_KEYS, group_starts
from gradcascade.tables.reasons import SENTENCES, Reason, because, columns, kept, told
from gradcascade.vocabulary import CHANNELS, EXPONENT_CHANNELS, FIT_COLUMNS, polars_schema

EXPONENTS = tuple(vocabulary.EXPONENTS)
"""The exponents, in the order of every table."""

FIT_SCHEMA = polars_schema(FIT_COLUMNS)
"""Columns of the table of fits, in order."""

Floats = NDArray[np.float64]
Numbers = Callable[[Floats, Floats, NDArray[np.intp]], Mapping[str, NDArray[Any]]]


def exponent_place() -> pl.Expr:
    """Place of the column ``exponent`` in the order of every table, to sort by."""
    order = {name: place for place, name in enumerate(EXPONENTS)}
    return pl.col("exponent").replace_strict(order, default=len(order), return_dtype=pl.Int64)


def per_exponent(logs: pl.DataFrame, keys: Sequence[str], numbers: Numbers) -> pl.DataFrame:
    """Compute columns for every group of points and every exponent; NaN becomes null.

    ``logs`` is sorted by ``keys``; ``numbers`` gets log N, the log of the channel and the first row of every group.
    """
    starts = group_starts(logs, keys)
    named, x = logs.select(keys)[starts], logs.get_column("log_n").to_numpy()
    tables = []
    for exponent, channel in EXPONENT_CHANNELS.items():
        found = numbers(x, logs.get_column(f"log_{channel}").to_numpy(), starts)
        columns = [pl.Series(name, values) for name, values in found.items()]
        filled = [column.fill_nan(None) if column.dtype.is_float() else column for column in columns]
        tables.append(named.with_columns(pl.lit(exponent, dtype=pl.String).alias("exponent"), *filled))
    return pl.concat(tables)


def lines(x: Floats, y: Floats, starts: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
    """The columns of a table of fits."""
    fit = fit_lines(x, y, starts)
    ends = {"value": fit.value, "se": fit.se, "low": fit.low, "high": fit.high, "r2": fit.r2}
    return {**ends, "n_scales": fit.n_points}


def fit_points(rows: pl.DataFrame, logs: pl.DataFrame) -> pl.DataFrame:
    """Fit every exponent to the points ``logs`` of the checked cascades ``rows``, and say where none is why."""
    exponents = pl.DataFrame({"exponent": EXPONENTS}, schema={"exponent": pl.String})
    wanted = rows.select(*FIT_KEYS).unique().join(exponents, how="cross")
    return (
        wanted.join(per_exponent(logs, FIT_KEYS, lines), on=[*FIT_KEYS, "exponent"], how="left")
        .with_columns(pl.col("n_scales").fill_null(0))
        .join(shortages(rows.sort("n", maintain_order=True), FIT_KEYS, ("family", "field")), on=FIT_KEYS, how="left")
        .with_columns(*columns(_reason()))
        .sort(*FIT_KEYS, exponent_place())
        .select(pl.col(name).cast(kind) for name, kind in FIT_SCHEMA.items())
    )


def beside_fits(fits: pl.DataFrame, found: pl.DataFrame, reason: pl.Expr, *names: str) -> pl.DataFrame:
    """Set what was found of every fit beside it: columns of both, and a ``reason`` where one is missing."""
    return (
        fits.join(found, on=[*FIT_KEYS, "exponent"], how="left")
        .with_columns(*columns(reason))
        .sort(*FIT_KEYS, exponent_place())
        .select(*FIT_KEYS, "exponent", *names, "code", "reason")
    )


def _reason() -> pl.Expr:
    words = {name: CHANNELS[channel].plural for name, channel in EXPONENT_CHANNELS.items()}
    channel = pl.col("exponent").replace_strict(words, default="")
    return (
        pl.when(pl.col("n_scales") < MIN_SCALES)
        .then(kept("shortage_"))
        .when(pl.col("value").is_null())
        .then(because("one-n"))
        .when(pl.col("r2").is_null())
        .then(because("equal-values", what=channel))
    )


def shortages(rows: pl.DataFrame, keys: Sequence[str], siblings: Sequence[str]) -> pl.DataFrame:
    """Find the fits with fewer than three scales, and name what each of the others lacks."""
    expected = {
        tuple(row[:-1]): row[-1]
        for row in rows.group_by(siblings, maintain_order=True)
        .agg(pl.col("scale").unique(maintain_order=True))
        .iter_rows()
    }
    kept = pl.col("scale").filter("included").n_unique()
    groups = (
        rows.filter(kept.over(keys) < MIN_SCALES)
        .group_by(keys, maintain_order=True)
        .agg("scale", "included", "reason")
    )
    places = [list(keys).index(name) for name in siblings]
    found = []
    for *key, scales, included, reasons in groups.iter_rows():
        fates: dict[str, str | None] = dict.fromkeys(
            expected[tuple(key[place] for place in places)], SENTENCES["not-measured"]
        )
        fates |= dict(zip(scales, reasons, strict=True))
        # Replicates: a scale is in the fit if one of them is.
        fates |= {scale: None for scale, inside in zip(scales, included, strict=True) if inside}
        found.append([*key, *_shortage(fates)])
    schema = {name: rows.schema[name] for name in keys} | dict.fromkeys(told(None, "shortage_"), pl.String())
    return pl.DataFrame(found, schema=schema, orient="row")


def _shortage(fates: dict[str, str | None]) -> Reason:
    lost = [f"{scale} {fate}" for scale, fate in fates.items() if fate is not None]
    left = len(fates) - len(lost)
    if lost:
        return Reason.of("scales-left-out", left=left, count=len(fates), lost=", ".join(lost))
    return Reason.of("few-scales", scales=f"{left} scale{'' if left == 1 else 's'}", least=MIN_SCALES)
