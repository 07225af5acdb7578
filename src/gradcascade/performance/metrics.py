"""External performance numbers and how they scale with model size (arXiv:2605.02968)."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl

from gradcascade.errors import InputError
from gradcascade.scaling.fits import shortages
from gradcascade.scaling.regression import MIN_SCALES, fit_lines
from gradcascade.scaling.table_checks import (
    group_starts,
    require_columns,
    require_numbers,
    require_unique,
    require_values,
)
from gradcascade.tables.inferred import INFERRED
from gradcascade.tables.measured import METRICS
from gradcascade.tables.reasons import because, columns, kept

METRIC_SCHEMA = {name: kind for name, kind in METRICS.schema.items() if name != "run"}

METRIC_EXPONENT_SCHEMA = INFERRED["metric_exponents"].schema

FLOOR = 1e-6
"""Smallest number that is put under the logarithm."""

_KEYS = ("family", "metric", "step")
_WHAT = "table of metrics"


def metric_table(rows: Iterable[tuple[Any, ...]], what: str) -> pl.DataFrame:
    """Rows of family, scale, step, metric and value as a sorted table that has each of them once."""
    cells = ((str(f), str(s), int(t), str(m), None if v is None else float(v)) for f, s, t, m, v in rows)
    table = pl.DataFrame(list(cells), schema=METRIC_SCHEMA, orient="row")
    order = ["family", "scale", "step", "metric"]
    require_unique(table, order, what, "keep one evaluation of each scale and step")
    return table.sort(order)


def metrics_over_runs(metrics: pl.DataFrame) -> pl.DataFrame:
    """Average every metric over the runs of a scale: their logarithms, as for the cascades, where all are above 0."""
    if "run" not in metrics.columns:
        return metrics
    value = pl.col("value")
    mean = pl.when((value > 0).all()).then(value.log().mean().exp()).otherwise(value.mean())
    return metrics.group_by("family", "scale", "step", "metric", maintain_order=True).agg(
        value=pl.when(pl.len() == 1).then(value.first()).otherwise(mean)
    )


def metric_exponent(metrics: pl.DataFrame, sizes: Mapping[str, int], floor: float = FLOOR) -> pl.DataFrame:
    """Fit the slope of ``log metric`` on ``log n`` at every step (arXiv:2605.02968), with 95 % t intervals."""
    require_columns(metrics, METRIC_SCHEMA, _WHAT)
    require_values(metrics, [name for name in METRIC_SCHEMA if name != "value"], _WHAT)
    require_numbers(metrics, ("step", "value"), _WHAT)
    _check_positive(sizes, floor)
    rows = metrics.select(pl.col(name).cast(kind) for name, kind in METRIC_SCHEMA.items())
    require_unique(rows, ["family", "metric", "step", "scale"], _WHAT, "keep one value of each")
    n = pl.col("scale").replace_strict(dict(sizes), default=None, return_dtype=pl.Int64)
    rows = rows.with_columns(n=n).with_columns(*columns(_left_out())).with_columns(included=pl.col("code").is_null())
    rows = rows.sort(*_KEYS, "n", "scale", nulls_last=True)
    included = rows.filter("included")
    starts = group_starts(included, _KEYS)
    fit = fit_lines(
        np.log(included["n"].cast(pl.Float64).to_numpy()),
        np.log(np.maximum(included["value"].to_numpy(), floor)),
        starts,
    )
    fitted = included.select(*_KEYS)[starts].with_columns(
        value=fit.value, se=fit.se, low=fit.low, high=fit.high, r2=fit.r2, n_scales=fit.n_points
    )
    return (
        rows.select(*_KEYS)
        .unique()
        .join(fitted, on=_KEYS, how="left")
        .with_columns(pl.col("value", "se", "low", "high", "r2").fill_nan(None), pl.col("n_scales").fill_null(0))
        .join(shortages(rows.sort("n", maintain_order=True), _KEYS, ("family", "metric")), on=_KEYS, how="left")
        .with_columns(*columns(_fit_reason()))
        .sort(*_KEYS)
        .select(pl.col(name).cast(kind) for name, kind in METRIC_EXPONENT_SCHEMA.items())
    )


def metric_exponents(metrics: pl.DataFrame, cascades: pl.DataFrame) -> pl.DataFrame:
    """Fit :func:`metric_exponent` for every family, over the sizes of its fields."""
    parts = [pl.DataFrame(schema=METRIC_EXPONENT_SCHEMA)]
    # Scales of several families may share a name, but not an n.
    for own in cascades.select("family", "scale", "n").partition_by("family", maintain_order=True):
        sizes = dict(own.group_by("scale").agg(pl.col("n").max()).iter_rows())
        parts.append(metric_exponent(metrics.filter(pl.col("family") == own["family"][0]), sizes))
    return pl.concat(parts)


def _check_positive(sizes: Mapping[str, int], floor: float) -> None:
    wrong = [scale for scale, n in sizes.items() if n < 1]
    if wrong:
        raise InputError(f"the size of scale {wrong[0]} is {sizes[wrong[0]]}; give the number of its parameters")
    if not 0 < floor < np.inf:
        raise InputError(f"the floor under the logarithm must be a finite number above 0, got {floor}")


def _left_out() -> pl.Expr:
    return (
        pl.when(pl.col("n").is_null())
        .then(because("unknown-size"))
        .when(~pl.col("value").is_finite().fill_null(False))
        .then(because("no-value"))
    )


def _fit_reason() -> pl.Expr:
    return (
        pl.when(pl.col("n_scales") < MIN_SCALES)
        .then(kept("shortage_"))
        .when(pl.col("value").is_null())
        .then(because("one-size"))
        .when(pl.col("r2").is_null())
        .then(because("equal-values", what="values"))
    )
