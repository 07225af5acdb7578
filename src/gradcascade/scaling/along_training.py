"""Means of series along training, with intervals that allow for correlated steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcascade.scaling.regression import CONFIDENCE
from gradcascade.scaling.series_mean import MIN_STEPS, mean_half_widths
from gradcascade.tables.column import ALONG
from gradcascade.tables.reasons import Reason, told
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
            } | told(None if known else _short(steps))
    return answers


def _short(steps: int) -> Reason:
    if not steps:
        return Reason.of("no-step")
    words = {"steps": "1 step", "have": "has"} if steps == 1 else {"steps": f"{steps} steps", "have": "have"}
    return Reason.of("few-steps", least=MIN_STEPS, **words)
