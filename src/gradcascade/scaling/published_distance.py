"""How far window means lie from the published ones, in standard errors across scales."""

from __future__ import annotations

import polars as pl

from gradcascade.scaling.comparison import compare_published
from gradcascade.scaling.window_means import PARTS, window_differences, window_intervals
from gradcascade.scaling.windows import Window

_KEYS = ["family", "field", "variant", "exponent"]


def published_distances(cascades: pl.DataFrame, window: Window = None) -> pl.DataFrame:
    """:func:`gradcascade.scaling.comparison.compare_published`, with the means across scales beside it.

    Further columns: ``scales_value``, ``scales_se``, ``less`` (ours less published) and ``apart``, the same in our
    standard errors; null where there is no line.
    """
    known = compare_published(cascades, window)
    singles = window_intervals(cascades, window, along=False)
    totals = window_differences(cascades, window, parts={"real - N0": PARTS["total"]}, along=False)
    columns = [*_KEYS, "scales_value", "scales_se"]
    ours = pl.concat([singles.select(columns), totals.rename({"difference": "variant"}).select(columns)])
    less = pl.col("scales_value") - pl.col("published")
    error = pl.when(pl.col("scales_se") > 0).then("scales_se")
    return known.join(ours, on=_KEYS, how="left", maintain_order="left").with_columns(less=less, apart=less / error)
