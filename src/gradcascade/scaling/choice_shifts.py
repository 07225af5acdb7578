"""How far each exponent moves when one choice of the measurement is changed."""

from __future__ import annotations

import numpy as np
import polars as pl

from gradcascade.errors import InputError
from gradcascade.scaling.fits import exponent_place
from gradcascade.scaling.points import points_of
from gradcascade.scaling.regression import CONFIDENCE, t_quantiles
from gradcascade.scaling.schemas import numbers, texts, wholes
from gradcascade.scaling.table_checks import require_columns
from gradcascade.scaling.window_means import window_differences, window_intervals

PLANNED = "as planned"
"""The choice that all others are compared with."""

MOVES, NOISE, UNKNOWN = "moves", "within noise", "no interval"

SHIFT_SCHEMA = (
    texts("family", "field", "kind", "choice", "exponent")
    | numbers("planned", "shift", "sd")
    | wholes("n_steps")
    | numbers("se")
    | wholes("degrees")
    | numbers("low", "high", "scales_value", "scales_low", "scales_high")
    | wholes("n_scales")
    | texts("scales_reason", "verdict", "reason")
)
"""Columns of the table of shifts, in order."""

_REASON = (
    pl.when(pl.col("n_steps") == 1)
    .then(pl.lit("one step has both; an interval needs two"))
    .otherwise(pl.lit("no step has both (three scales each, none at the ceiling)"))
)


def choice_shifts(cascades: pl.DataFrame, confidence: float = CONFIDENCE) -> pl.DataFrame:
    """Compare every choice with the measurement as planned, at the same scales and all steps of the table.

    The logarithms of both are subtracted step by step and scale by scale before a line is fitted (replicates are
    averaged first), so what both share drops out. The interval is Student's, of the paired differences of the steps:
    that of the mean over these very runs, of which the steps are an even sample. Where differences change slowly
    along training such a sample does better than a random one, so correlation does not make the interval too narrow.

    ``cascades`` has ``choice`` (a name, or ``"as planned"``) and ``kind`` (what the choice is of) in the place of
    ``variant``. The choice that moves an exponent farthest comes first: ``shift`` is the mean over ``n_steps`` steps
    of choice less planned, with its ``sd`` over steps; ``scales_*`` ask whether other runs would show it; ``verdict``
    is "moves" where ``low, high`` leave zero out.
    """
    require_columns(cascades, ("family", "field", "step", "kind", "choice"), "table of cascades")
    table = cascades.with_columns(variant=pl.col("choice"))
    choices = table.filter(pl.col("choice") != PLANNED).select("kind", "choice").unique().sort("kind", "choice")
    if choices.is_empty():
        return pl.DataFrame(schema=SHIFT_SCHEMA)
    if choices.height == table.select("choice").n_unique():
        raise InputError(f"the table of cascades has nothing measured {PLANNED}; measure that too")
    ends = table.group_by("family", "field").agg(first=pl.col("step").min(), last=pl.col("step").max())
    window = {(family, field): (first, last) for family, field, first, last in ends.iter_rows()}
    points = points_of(table, window)
    base = window_intervals(points.only(pl.col("variant") == PLANNED), None, confidence, along=True)
    base = base.select("family", "field", "exponent", planned=pl.col("mean"))
    parts = {name: (name, PLANNED) for name in choices["choice"]}
    found = window_differences(points, None, confidence, parts)
    count = found.get_column("n_steps").to_numpy()
    several = pl.col("n_steps") > 1
    wide = t_quantiles(np.maximum(count - 1, 1), confidence) / np.sqrt(np.maximum(count, 1))
    half = pl.when(several).then(pl.col("sd") * pl.Series(wide, dtype=pl.Float64))
    moved = pl.when(pl.col("low").is_null()).then(pl.lit(UNKNOWN))
    moved = moved.when((pl.col("low") > 0) | (pl.col("high") < 0)).then(pl.lit(MOVES)).otherwise(pl.lit(NOISE))
    place = exponent_place()
    return (
        found.rename({"difference": "choice", "mean": "shift"})
        .with_columns(
            low=pl.col("shift") - half,
            high=pl.col("shift") + half,
            se=pl.when(several).then(pl.col("sd") / pl.col("n_steps").sqrt()),
            degrees=pl.when(several).then(pl.col("n_steps") - 1),
        )
        .join(choices, on="choice", how="left")
        .join(base, on=["family", "field", "exponent"], how="left")
        .with_columns(verdict=moved, reason=pl.when(pl.col("low").is_null()).then(_REASON))
        .sort("family", "field", place, pl.col("shift").abs(), "choice", descending=[*[False] * 3, True, False])
        .sort("family", "field", place, pl.col("shift").is_null(), maintain_order=True)
        .select(pl.col(name).cast(kind) for name, kind in SHIFT_SCHEMA.items())
    )
