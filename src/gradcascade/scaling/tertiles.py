"""Tertiles: the window cut into an early, a middle and a late third, to see drift inside it."""

from __future__ import annotations

import numpy as np
import polars as pl

from gradcascade.scaling.table_checks import require_columns
from gradcascade.scaling.windows import Window, windows

TERTILES = ("early", "middle", "late")
"""The thirds of a window, in order."""


def tertile(table: pl.DataFrame, window: Window = None) -> pl.Series:
    """Say in which third of the window of its family and field each row lies.

    Steps are cut by their count; what is left over goes to the earlier thirds.
    """
    places: list[tuple[str, str, int, str]] = []
    for (family, field), (first, last) in windows(table, window).items():
        own = table.filter(
            pl.col("family") == family, pl.col("field") == field, pl.col("step").is_between(first, last)
        )
        steps = own["step"].unique().sort().to_list()
        if len(steps) >= len(TERTILES):
            for name, part in zip(TERTILES, np.array_split(steps, len(TERTILES)), strict=True):
                places += [(family, field, int(step), name) for step in part]
    schema = {name: table.schema[name] for name in ("family", "field", "step")} | {"tertile": pl.String}
    known = pl.DataFrame(places, schema=schema, orient="row")
    rows = table.select("family", "field", "step").with_row_index("_row")
    return rows.join(known, on=["family", "field", "step"], how="left").sort("_row").get_column("tertile")


def summarise_tertiles(values: pl.DataFrame, keys: list[str], window: Window = None) -> pl.DataFrame:
    """Mean and standard deviation of anything measured along training, in each third of the window."""
    require_columns(values, ("family", "field", "step", "value", *keys), "table of values")
    names = ["family", "field", *keys, "tertile"]
    order = pl.col("tertile").replace_strict({name: i for i, name in enumerate(TERTILES)}, return_dtype=pl.Int64)
    step, value = pl.col("step"), pl.col("value")
    return (
        values.with_columns(tertile(values, window))
        .drop_nulls(["tertile", "value"])
        .sort("step", maintain_order=True)
        .group_by(names, maintain_order=True)
        .agg(
            mean=value.mean(),
            sd=value.std(),
            first_step=step.min(),
            last_step=step.max(),
            n_steps=value.count().cast(pl.Int64),
        )
        .sort(*names[:-1], order)
    )
