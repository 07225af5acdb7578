"""Means of series along training, with intervals that allow for correlated steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.scaling.regression import CONFIDENCE
from gradcascade.scaling.schemas import numbers, texts, wholes
from gradcascade.scaling.series_mean import MIN_STEPS, mean_half_widths
from gradcascade.scaling.windows import Window, in_window

ALONG_SCHEMA = numbers("mean", "sd") | wholes("n_steps") | numbers("low", "high") | texts("reason")
"""Columns of the answers, in order."""


def along_training(series: Sequence[NDArray[np.float64]], confidence: float = CONFIDENCE) -> list[dict[str, Any]]:
    """Mean, sample SD and interval (:mod:`gradcascade.scaling.series_mean`) of every series of steps in order."""
    answers: list[dict[str, Any]] = [{} for _ in series]
    lengths = np.array([values.size for values in series], dtype=np.int64)
    for steps in np.unique(lengths).tolist():  # series of one length are answered together
        places = np.flatnonzero(lengths == steps).tolist()
        if steps < MIN_STEPS:
            for place in places:
                answers[place] = _short(series[place])
            continue
        block = np.stack([series[place] for place in places])
        for place, mean, half in zip(places, block.mean(axis=1), mean_half_widths(block, confidence), strict=True):
            answers[place] = {
                "mean": float(mean),
                "sd": float(series[place].std(ddof=1)),
                "n_steps": steps,
                "low": float(mean - half),
                "high": float(mean + half),
                "reason": None,
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


def _short(values: NDArray[np.float64]) -> dict[str, Any]:
    steps = values.size
    reason = "no step in the window has the value"
    if steps:
        has = f"only {steps} step{'' if steps == 1 else 's'} in the window ha{'s' if steps == 1 else 've'} the value"
        reason = f"{has}; an interval that allows for correlated steps needs {MIN_STEPS}"
    return {
        "mean": float(values.mean()) if steps else None,
        "sd": float(values.std(ddof=1)) if steps > 1 else None,
        "n_steps": steps,
        "low": None,
        "high": None,
        "reason": reason,
    }
