"""How far the exponents lie apart over orders of a field's tensors, and what they are without any order.

A graph has places of different kinds, so it matters which value sits where. N2, the field's own values in random
order, has the distribution of the field on a graph whose nodes are relabelled at random: it is the order-free value.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.scaling.choice_shifts import ORDER, PLANNED
from gradcascade.scaling.fits import exponent_place
from gradcascade.scaling.points import points_of
from gradcascade.scaling.regression import CONFIDENCE
from gradcascade.scaling.table_checks import require_columns
from gradcascade.scaling.window_means import window_intervals
from gradcascade.vocabulary import EXPONENT_CHANNELS

FREE = "N2"
"""The null that no order plays a part in."""

VALUE_SCHEMA: dict[str, type[pl.DataType]] = {
    "family": pl.String,
    "field": pl.String,
    "exponent": pl.String,
    "order": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "n_steps": pl.Int64,
    "code": pl.String,
    "reason": pl.String,
}
"""Columns of the values, in order."""

SPREAD_SCHEMA: dict[str, type[pl.DataType]] = {
    "family": pl.String,
    "field": pl.String,
    "exponent": pl.String,
    "planned": pl.Float64,
    "n_orders": pl.Int64,
    "lowest": pl.Float64,
    "highest": pl.Float64,
    "sd": pl.Float64,
    "sd_low": pl.Float64,
    "sd_high": pl.Float64,
    "free": pl.Float64,
    "free_low": pl.Float64,
    "free_high": pl.Float64,
    "n_steps": pl.Int64,
}
"""Columns of the spread, in order."""

_GROUP = ["family", "field"]
_POINT = [*_GROUP, "scale", "run", "step"]


def order_values(cascades: pl.DataFrame) -> pl.DataFrame:
    """Mean of every exponent in every order, as planned, and of N2, with its interval along training.

    ``cascades`` is as in :func:`gradcascade.scaling.choice_shifts.choice_shifts`. Compared are the snapshots of which
    every order was measured, below the ceiling; an order that was measured at fewer than half of the steps is left
    out. The columns are those of :data:`VALUE_SCHEMA`; families and fields without other orders have no rows.
    """
    require_columns(cascades, (*_GROUP, "step", "kind", "choice"), "table of cascades")
    if "run" not in cascades.columns:
        cascades = cascades.with_columns(run=pl.lit("0"))
    name = pl.col("choice").str.strip_prefix(f"{ORDER} ")
    table = cascades.filter((pl.col("kind") == ORDER) | pl.col("choice").is_in([PLANNED, FREE]))
    table = table.with_columns(variant=name)
    if "ceiling" in table.columns:
        table = table.filter(~pl.col("ceiling"))
    with_orders = table.filter(pl.col("kind") == ORDER).select(_GROUP).unique()
    table = table.join(with_orders, on=_GROUP, how="semi")
    steps = table.group_by(*_GROUP, "variant").agg(steps=pl.col("step").n_unique())
    usual = steps.filter(pl.col("steps") * 2 >= pl.col("steps").max().over(_GROUP))
    table = table.join(usual, on=[*_GROUP, "variant"], how="semi")
    counted = table.select(*_POINT, "variant").unique().group_by(_POINT).len("_there")
    wanted = table.group_by(_GROUP).agg(_wanted=pl.col("variant").n_unique())
    complete = counted.join(wanted, on=_GROUP).filter(pl.col("_there") == pl.col("_wanted"))
    table = table.join(complete, on=_POINT, how="semi")
    if table.is_empty():
        return pl.DataFrame(schema=VALUE_SCHEMA)
    ends = table.group_by(_GROUP).agg(first=pl.col("step").min(), last=pl.col("step").max())
    window = {(family, field): (first, last) for family, field, first, last in ends.iter_rows()}
    found = window_intervals(points_of(table, window))
    return (
        found.rename({"variant": "order", "mean": "value"})
        .with_columns(pl.col("n_steps").fill_null(0))
        .sort(*_GROUP, exponent_place(), *_order_place(), "order")
        .select(pl.col(column).cast(kind) for column, kind in VALUE_SCHEMA.items())
    )


def _order_place() -> tuple[pl.Expr, pl.Expr]:
    """As planned first, N2 last, numbered orders behind those with a name."""
    number = pl.col("order").str.extract(r" ([0-9]+)$").cast(pl.Int64)
    place = pl.when(pl.col("order") == PLANNED).then(0).when(pl.col("order") == FREE).then(3)
    return place.when(number.is_not_null()).then(2).otherwise(1), number


def order_scatter(cascades: pl.DataFrame) -> pl.DataFrame:
    """SD of every channel's logarithm between the orders of the tensors at one step, pooled over scales and runs.

    ``cascades`` as for :func:`order_values`; as planned counts as an order, and orders of which a cascade is equal in
    every digit to another's count once. Columns: ``family, field, channel, order_sd``.
    """
    columns = [*_GROUP, "channel"]
    empty = pl.DataFrame(schema=dict.fromkeys(columns, pl.String) | {"order_sd": pl.Float64})
    if "run" not in cascades.columns:
        cascades = cascades.with_columns(run=pl.lit("0"))
    table = cascades.filter((pl.col("kind") == ORDER) | (pl.col("choice") == PLANNED))
    if table.filter(pl.col("kind") == ORDER).is_empty():
        return empty
    rows = points_of(table.with_columns(variant=pl.col("choice"))).rows.filter("included")
    rows = rows.unique([*_POINT, "size", "duration"], keep="first", maintain_order=True)
    channels = list(EXPONENT_CHANNELS.values())
    logs = rows.with_columns(pl.col(*channels).cast(pl.Float64).log())
    squares = logs.group_by(_POINT, maintain_order=True).agg(
        (pl.col(*channels) - pl.col(*channels).mean()).pow(2).sum(),
        degrees=pl.len().cast(pl.Float64) - 1,
    )
    pooled = squares.group_by(_GROUP, maintain_order=True).agg(pl.col(*channels, "degrees").sum())
    found = pooled.filter(pl.col("degrees") > 0).with_columns((pl.col(*channels) / pl.col("degrees")).sqrt())
    return found.unpivot(channels, index=_GROUP, variable_name="channel", value_name="order_sd").select(empty.columns)


def order_spread(values: pl.DataFrame) -> pl.DataFrame:
    """Spread of every exponent over the orders, as planned among them, and what it is free of any order.

    ``values`` is from :func:`order_values`. ``sd`` is the standard deviation over ``n_orders`` orders, of which equal
    ones count once, ``sd_low`` and ``sd_high`` its interval after chi squared: that of all orders there could be, as
    far as these are a sample of them. ``free`` is N2's value with its interval along training. The columns are those
    of :data:`SPREAD_SCHEMA`.
    """
    rows = []
    for (family, field), group in values.group_by(_GROUP, maintain_order=True):
        orders = group.filter(pl.col("order") != FREE)
        kept = _different(orders)
        for (exponent,), own in orders.group_by(["exponent"], maintain_order=True):
            planned = own.filter(pl.col("order") == PLANNED)["value"]
            free = group.filter(pl.col("order") == FREE, pl.col("exponent") == exponent).to_dicts() or [{}]
            rows.append(
                {
                    "family": family,
                    "field": field,
                    "exponent": exponent,
                    "planned": planned.item() if planned.len() else None,
                    **_spread(own.filter(pl.col("order").is_in(kept))["value"].drop_nulls().to_numpy()),
                    "free": free[0].get("value"),
                    "free_low": free[0].get("low"),
                    "free_high": free[0].get("high"),
                    "n_steps": own["n_steps"].max(),
                }
            )
    return pl.DataFrame(rows, schema=SPREAD_SCHEMA)


def _different(orders: pl.DataFrame) -> list[str]:
    """Orders whose exponents are not all those of one before: a file may be in the planned order already."""
    seen: dict[tuple[float | None, ...], str] = {}
    for (order,), own in orders.group_by(["order"], maintain_order=True):
        # Sums in another order of rows differ in their last digits.
        seen.setdefault(tuple(own["value"].round(12)), str(order))
    return list(seen.values())


def _spread(values: NDArray[np.float64]) -> dict[str, float | int | None]:
    from scipy.stats import chi2

    found: dict[str, float | int | None] = {"n_orders": values.size}
    if values.size:
        found |= {"lowest": float(values.min()), "highest": float(values.max())}
    if values.size > 1:
        sd, degrees = float(np.std(values, ddof=1)), values.size - 1
        ends = chi2.ppf([0.5 + CONFIDENCE / 2, 0.5 - CONFIDENCE / 2], degrees)
        found |= {"sd": sd} | {
            name: sd * math.sqrt(degrees / end) for name, end in zip(("sd_low", "sd_high"), ends, strict=True)
        }
    return found
