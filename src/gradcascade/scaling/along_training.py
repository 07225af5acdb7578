"""Means of series along training, with intervals that allow for correlated steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.scaling.regression import CONFIDENCE
from gradcascade.scaling.series_mean import MIN_STEPS, mean_half_widths
from gradcascade.scaling.windows import Window, in_window
from gradcascade.tables.column import ALONG
from gradcascade.vocabulary import polars_schema

ALONG_SCHEMA = polars_schema(ALONG)
"""Columns of the answers, in order."""


def along_training(series: Sequence[NDArray[np.float64]], confidence: float = CONFIDENCE) -> list[dict[str, Any]]:
    """Mean, sample SD and interval (:mod:`gradcascade.scaling.series_mean`) of every series of steps in order."""
    answers: list[dict[str, Any]] = [{} for _ in series]
    lengths = np.array([values.size for values in series], dtype=np.int64)
    for steps in np.unique(lengths).tolist():  # series of one length are answered together
        places = np.flatnonzero(lengths == steps).tolist()
        block = np.stack([series[place] for place in places])
        means = block.mean(axis=1) if steps else np.full(len(places), np.nan)
        halves = mean_half_widths(block, confidence)
        for place, mean, half in zip(places, means.tolist(), halves.tolist(), strict=True):
            known = steps >= MIN_STEPS
            answers[place] = {
                "mean": mean if steps else None,
                "sd": float(series[place].std(ddof=1)) if steps > 1 else None,
                "n_steps": steps,
                "low": mean - half if known else None,
                "high": mean + half if known else None,
                "reason": None if known else _short(steps),
            }
    return answers


def over_window(
    table: pl.DataFrame, keys: Sequence[str], value: str, window: Window = None, confidence: float = CONFIDENCE
) -> pl.DataFrame:
    """Mean of a column over the window: one row per ``keys`` (which begin with family, field), in order."""
    inside = pl.col(value).cast(pl.Float64).filter("_used").drop_nulls()
    grouped = (
        table.with_columns(_used=in_window(table, window))
        .sort("step", maintain_order=True)
        .group_by(keys)
        .agg(inside.alias("_series"))
    )
    named = table.select(keys).unique(maintain_order=True).join(grouped, on=keys, how="left", maintain_order="left")
    series = [values.to_numpy() for values in named.get_column("_series")]
    answers = pl.DataFrame(along_training(series, confidence), schema=ALONG_SCHEMA)
    return pl.concat([named.drop("_series"), answers], how="horizontal")


def _short(steps: int) -> str:
    if not steps:
        return "no step in the window has the value"
    has = f"only {steps} step{'' if steps == 1 else 's'} in the window ha{'s' if steps == 1 else 've'} the value"
    return f"{has}; an interval that allows for correlated steps needs {MIN_STEPS}"
