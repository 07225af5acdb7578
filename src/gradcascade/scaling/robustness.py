"""How far each exponent moves when one choice of the measurement is changed."""

from __future__ import annotations

import polars as pl

from gradcascade.errors import InputError
from gradcascade.scaling.regression import CONFIDENCE
from gradcascade.scaling.tables import require_columns
from gradcascade.scaling.window_means import MEAN_SCHEMA, window_differences, window_intervals

PLANNED = "as planned"
"""The choice that all others are compared with."""

MOVES, NOISE, UNKNOWN = "moves", "within noise", "no interval"

SHIFT_SCHEMA: dict[str, type[pl.DataType]] = {
    "family": pl.String,
    "field": pl.String,
    "kind": pl.String,
    "choice": pl.String,
    "exponent": pl.String,
    "planned": pl.Float64,
    **{"shift" if name == "mean" else name: kind for name, kind in MEAN_SCHEMA.items()},
    "verdict": pl.String,
}
"""Columns of the table of shifts, in order."""

_ORDER = {"D": 0, "z": 1, "beta": 2, "delta": 3}


def choice_shifts(cascades: pl.DataFrame, confidence: float = CONFIDENCE) -> pl.DataFrame:
    """Compare every choice with the measurement as planned, at the same steps and scales.

    The logarithms of both are subtracted step by step and scale by scale before a line is fitted (replicates are
    averaged first), so what both share drops out. All steps in the table count.

    Parameters
    ----------
    cascades : polars.DataFrame
        As for :func:`gradcascade.scaling.exponents.fit_exponents`, with ``choice`` (a name, or ``"as planned"``) and
        ``kind`` (what the choice is of) in place of ``variant``; a ``variant`` is not looked at.
    confidence : float
        Coverage of the intervals.

    Returns
    -------
    polars.DataFrame
        One row per ``family, field, kind, choice, exponent``, sorted by family, field and exponent and then by how
        far the choice moves it, farthest first: ``planned``, the exponent as planned (mean over the steps),
        ``shift``, the mean over the ``n_steps`` steps at which both are fitted, of choice less planned, with its
        ``sd`` over steps and the interval along training ``low, high``, the shift of the line of the averaged
        logarithms with the interval across scales (``scales_value``, ``scales_low``, ``scales_high``), both as in
        :func:`gradcascade.scaling.window_means.window_differences`, and ``verdict``: ``"moves"`` if the interval
        along training leaves zero out, else ``"within noise"``, or ``"no interval"`` with the ``reason``.

    Raises
    ------
    InputError
        As :func:`gradcascade.scaling.exponents.fit_exponents`, or if nothing was measured as planned.
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
    base = window_intervals(table.filter(pl.col("choice") == PLANNED), window, confidence, along=True)
    base = base.select("family", "field", "exponent", planned=pl.col("mean"))
    parts = {name: (name, PLANNED) for name in choices["choice"]}
    moved = pl.when(pl.col("low").is_null()).then(pl.lit(UNKNOWN))
    moved = moved.when((pl.col("low") > 0) | (pl.col("high") < 0)).then(pl.lit(MOVES)).otherwise(pl.lit(NOISE))
    place = pl.col("exponent").replace_strict(_ORDER, return_dtype=pl.Int64)
    return (
        window_differences(table, window, confidence, parts)
        .rename({"difference": "choice", "mean": "shift"})
        .join(choices, on="choice", how="left")
        .join(base, on=["family", "field", "exponent"], how="left")
        .with_columns(verdict=moved)
        .sort("family", "field", place, pl.col("shift").abs(), "choice", descending=[*[False] * 3, True, False])
        .sort("family", "field", place, pl.col("shift").is_null(), maintain_order=True)
        .select(pl.col(name).cast(kind) for name, kind in SHIFT_SCHEMA.items())
    )
