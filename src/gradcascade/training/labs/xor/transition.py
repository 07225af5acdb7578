"""When a network has learned XOR: the paper does not say what its transition is, so there are two rules."""

from __future__ import annotations

from math import log

import polars as pl

from gradcascade.training.labs.xor.config import XorConfig

RULES = {
    "accuracy": pl.col("accuracy") == 1,
    "loss": pl.col("loss") < log(2) / 2,
}
"""``accuracy``: all four patterns are right; ``loss``: the loss is below half of that of a coin."""


def transitions(series: pl.DataFrame, config: XorConfig, rule: str = "accuracy") -> dict[tuple[str, str], int | None]:
    """The first recorded epoch from which the rule holds to the end, by (scale, run); None for a run without one.

    ``series`` is that of one family.
    """
    holds = RULES[rule].alias("holds")
    found = series.sort("step").group_by("scale", "run", maintain_order=True).agg("step", holds)
    known: dict[tuple[str, str], int | None] = {}
    for scale, run, steps, right in found.iter_rows():
        last_wrong = next((step for step, held in zip(reversed(steps), reversed(right), strict=True) if not held), -1)
        later = [epoch for epoch in config.recorded_epochs if epoch > last_wrong]
        known[scale, run] = later[0] if later else None
    return known
