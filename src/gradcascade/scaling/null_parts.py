"""The parts of the difference to the null, in long form, and their means over the window."""

from __future__ import annotations

import polars as pl

from gradcascade.scaling.decomposition import DIFFERENCES, summarise_decomposition
from gradcascade.scaling.windows import Window, in_window

_GROUP = ("family", "field", "exponent")


def null_parts(decomposition: pl.DataFrame) -> pl.DataFrame:
    """One row per ``family, field, exponent, step, part`` with its ``value``, null where it is unknown."""
    return decomposition.unpivot(list(DIFFERENCES), index=[*_GROUP, "step"], variable_name="part", value_name="value")


def window_null_parts(decomposition: pl.DataFrame, window: Window = None) -> pl.DataFrame:
    """Mean and SD of every part over the window: ``family, field, exponent, part, value, sd``.

    Over the steps at which all three parts are known; where there is none, because one null was not measured, over
    those of each part. The SD is that over steps, null for a single one.
    """
    parts = null_parts(decomposition)
    inside = parts.filter(in_window(parts, window)) if parts.height else parts
    alone = inside.group_by(*_GROUP, "part").agg(value=pl.col("value").mean(), sd=pl.col("value").std())
    whole = summarise_decomposition(decomposition, window).filter(pl.col("n_steps") > 0)
    split = pl.concat(
        [
            alone.clear(),
            *(
                whole.select(*_GROUP, part=pl.lit(name), value=name, sd=f"{name}_sd").select(alone.columns)
                for name in DIFFERENCES
            ),
        ]
    )
    return pl.concat([split, alone.join(split, on=_GROUP, how="anti")]).sort(*_GROUP, "part")
