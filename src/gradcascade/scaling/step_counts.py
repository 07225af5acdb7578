"""At how many steps of a window the intervals of single steps exclude zero: a description, no verdict.

The 95 % interval of a difference of two exponents follows from their own intervals by the method of variance
estimates recovery (Zou and Donner, Statistics in Medicine 27, 2008): the distances of each estimate to its limits add
in squares. It needs no common N, since slopes are subtracted and not logarithms.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from gradcascade.scaling.claims import Side, sides
from gradcascade.scaling.windows import Range
from gradcascade.vocabulary import EXPONENTS

Trajectory = tuple[str, str, str]
"""Family, field and variant."""


@dataclass(frozen=True)
class StepCounts:
    """An exponent or a difference over a window; ``apart`` counts steps clearly on the mean's side of zero."""

    mean: float | None
    sd: float | None
    steps: int
    apart: int


def step_counts(
    fits: pl.DataFrame,
    exponent: str,
    trajectory: Trajectory,
    window: Range,
    other: Trajectory | None = None,
    other_window: Range | None = None,
) -> StepCounts:
    """Compare an exponent with zero (D and beta with one), or with another trajectory at the steps that both have."""
    rows = _steps(fits, exponent, trajectory, window)
    if other is None:
        at = float(EXPONENTS[exponent].neutral)
        rows = rows.select(pl.col("value", "low", "high") - at, flat=pl.col("low") == pl.col("high"))
    else:
        rows = _difference(rows, _steps(fits, exponent, other, other_window or window))
    mean = rows.select(pl.col("value").mean()).item()
    if mean is None:
        return StepCounts(None, None, 0, 0)
    wanted = Side.ABOVE if mean > 0 else Side.BELOW
    apart = rows.filter(sides() == wanted.value, ~pl.col("flat")).height
    return StepCounts(mean, rows.select(pl.col("value").std()).item(), rows.height, apart)


def _steps(fits: pl.DataFrame, exponent: str, trajectory: Trajectory, window: Range) -> pl.DataFrame:
    named = zip(("family", "field", "variant", "exponent"), (*trajectory, exponent), strict=True)
    rows = fits.filter(*(pl.col(name) == value for name, value in named), pl.col("step").is_between(*window))
    return rows.drop_nulls("value").select("step", "value", "low", "high")


def _difference(first: pl.DataFrame, second: pl.DataFrame) -> pl.DataFrame:
    value, low, high, value_o, low_o, high_o = (
        pl.col(f"{name}{end}") for end in ("", "_o") for name in ("value", "low", "high")
    )
    gap = value - value_o
    down = ((value - low) ** 2 + (high_o - value_o) ** 2).sqrt()
    up = ((high - value) ** 2 + (value_o - low_o) ** 2).sqrt()
    return first.join(second, on="step", suffix="_o").select(
        gap.alias("value"),
        (gap - down).alias("low"),
        (gap + up).alias("high"),
        flat=(low == high) | (low_o == high_o),
    )
