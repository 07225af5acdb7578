"""How far each exponent moves when one choice of the measurement is changed."""

from __future__ import annotations

import numpy as np
import polars as pl

from gradcascade.errors import InputError
from gradcascade.scaling.fits import exponent_place
from gradcascade.scaling.points import points_of
from gradcascade.scaling.regression import CONFIDENCE
from gradcascade.scaling.schemas import numbers, texts, wholes
from gradcascade.scaling.table_checks import require_columns
from gradcascade.scaling.window_means import window_differences, window_intervals
from gradcascade.tables.reasons import columns, kept
from gradcascade.vocabulary import EXPONENTS

PLANNED = "as planned"
"""The choice that all others are compared with."""

ORDER, CONTROL = "order", "control"
"""Kinds of choice: an order of the tensors; a null in the place of the real field."""

MOVES, NOISE, UNKNOWN, SAME = "moves", "within noise", "no interval", "the same"

_ROUNDING = 1e-12
"""A shift below this comes from the last digits of logarithms."""

SHIFT_SCHEMA = (
    texts("family", "field", "kind", "choice", "exponent")
    | numbers("planned", "shift", "sd")
    | wholes("n_steps")
    | numbers("se")
    | wholes("degrees")
    | numbers("low", "high", "p")
    | wholes("looked_at")
    | numbers("p_adjusted", "scales_value", "scales_low", "scales_high")
    | wholes("n_scales")
    | texts("scales_code", "scales_reason", "verdict", "code", "reason")
)
"""Columns of the table of shifts, in order."""


def choice_shifts(cascades: pl.DataFrame) -> pl.DataFrame:
    """Compare every choice with the measurement as planned, at the same scales and all steps of the table.

    The logarithms of both are subtracted step by step and run by run before a line is fitted (replicates are averaged
    first), so what both share drops out. The interval, ``se`` and ``p`` are those across scales, with the runs'
    means of the differences as points (:mod:`gradcascade.scaling.window_means`): steps of one run say little more
    than a few of them, and taken as independent they let one in five choices that do nothing "move" an exponent at a
    correlation of 0.9.

    ``cascades`` has ``choice`` (a name, or ``"as planned"``) and ``kind`` (what the choice is of) in the place of
    ``variant``. The choice that moves an exponent farthest comes first: ``shift`` is the mean over ``n_steps`` steps
    of choice less planned, with its ``sd`` over steps. Of many choices that do nothing some have a small ``p``, so
    ``p_adjusted`` is it after Benjamini and Hochberg (1995) over the ``looked_at`` shifts of a family and field: all
    exponents but beta, which moves as delta, and all choices, nulls apart. ``verdict`` is "moves" where it is up to
    5 %: of those called so, that share is expected to be chance.
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
    base = window_intervals(points.only(pl.col("variant") == PLANNED))
    base = base.select("family", "field", "exponent", planned=pl.col("mean"))
    parts = {name: (name, PLANNED) for name in choices["choice"]}
    found = window_differences(points, parts=parts)
    moved = pl.when(pl.col("low").is_null()).then(pl.lit(UNKNOWN))
    moved = moved.when((pl.col("shift").abs() < _ROUNDING) & (pl.col("sd") < _ROUNDING)).then(pl.lit(SAME))
    moved = moved.when(pl.col("p_adjusted") <= 1 - CONFIDENCE).then(pl.lit(MOVES)).otherwise(pl.lit(NOISE))
    place = exponent_place()
    return (
        found.rename({"difference": "choice", "mean": "shift"})
        .with_columns(
            low=pl.col("scales_low"),
            high=pl.col("scales_high"),
            se=pl.col("scales_se"),
            degrees=pl.when(pl.col("scales_se").is_not_null()).then(pl.col("n_scales") - 2),
        )
        .join(choices, on="choice", how="left")
        .join(base, on=["family", "field", "exponent"], how="left")
        .pipe(_adjusted)
        .with_columns(*columns(kept("scales_")), verdict=moved)
        .sort("family", "field", place, pl.col("shift").abs(), "choice", descending=[*[False] * 3, True, False])
        .sort("family", "field", place, pl.col("shift").is_null(), maintain_order=True)
        .select(pl.col(name).cast(kind) for name, kind in SHIFT_SCHEMA.items())
    )


def _adjusted(shifts: pl.DataFrame) -> pl.DataFrame:
    """The p values of the shifts, one by one and after Benjamini and Hochberg; null without an interval."""
    from scipy.special import stdtr
    from scipy.stats import false_discovery_control

    names = ("scales_value", "se", "degrees")
    shift, se, degrees = (shifts[name].cast(pl.Float64).to_numpy() for name in names)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.where(np.abs(shift) < _ROUNDING, 0.0, np.abs(shift) / se)
        p = np.where(np.isnan(degrees), np.nan, 2 * stdtr(np.where(np.isnan(degrees), 1.0, degrees), -score))
    own = [name for name, exponent in EXPONENTS.items() if not exponent.same_as]
    place = ["family", "field", pl.col("kind") == CONTROL]
    table = shifts.with_columns(p=pl.Series(p, dtype=pl.Float64).fill_nan(None), _row=pl.int_range(pl.len()))
    tested = table.drop_nulls("p").filter(pl.col("exponent").is_in(own))
    counted = [
        part.select("_row", p_adjusted=pl.Series(false_discovery_control(part["p"].to_numpy())), looked_at=pl.len())
        for _, part in tested.group_by(place, maintain_order=True)
    ]
    schema = {"_row": pl.Int64, "p_adjusted": pl.Float64, "looked_at": pl.UInt32}
    known = pl.concat([pl.DataFrame(schema=schema), *counted])
    table = table.join(known, on="_row", how="left", maintain_order="left")
    same = {name: exponent.same_as for name, exponent in EXPONENTS.items() if exponent.same_as}
    other = table.select("family", "field", "choice", "exponent", _p="p_adjusted", _looked_at="looked_at")
    return (
        table.with_columns(_as=pl.col("exponent").replace_strict(same, default=None, return_dtype=pl.String))
        .join(
            other,
            left_on=["family", "field", "choice", "_as"],
            right_on=["family", "field", "choice", "exponent"],
            how="left",
            maintain_order="left",
        )
        .with_columns(pl.coalesce("p_adjusted", "_p"), pl.coalesce("looked_at", "_looked_at"))
        .drop("_row", "_as", "_p", "_looked_at")
    )
