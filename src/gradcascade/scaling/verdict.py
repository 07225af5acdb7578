"""The regime of a family and field, from intervals: duration-supported, flat, below the null, or undecided.

All intervals are across scales (:mod:`gradcascade.scaling.window_means`), so that neither the correlation of steps
nor the difference between runs makes a verdict look surer than it is. A difference of regimes must show in a 95 %
interval; equivalence is shown by a 90 % interval inside the margin, which is the two one-sided tests at 5 %
(Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15, 1987). Every family and field asks once more, so a
verdict must hold after Holm's correction over all of them: then at most one table of verdicts in twenty holds a
wrong one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from gradcascade.errors import InputError
from gradcascade.scaling.claims import LEVEL
from gradcascade.scaling.multiplicity import holm
from gradcascade.scaling.points import Cascades, points_of
from gradcascade.scaling.window_means import window_differences, window_intervals
from gradcascade.scaling.windows import Window
from gradcascade.tables.inferred import INFERRED
from gradcascade.vocabulary import REAL

SUPPORTED = "duration-supported"
FLAT = "flat"
BELOW = "below the null"
UNDECIDED = "undecided"

MARGIN = 0.05
"""Default margin of flatness: an exponent this large changes a quantity by 12 % when N grows tenfold."""

VERDICT_SCHEMA = INFERRED["verdicts"].schema
"""Columns of the table of verdicts, in order; ``_total`` is real less null, the intervals are of 95 %."""

Parts = dict[str, dict[str, Any]]
"""Rows of window means by exponent."""

_ENDS = {"": "scales_value", "_low": "scales_low", "_high": "scales_high"}


def verdicts(
    cascades: Cascades,
    window: Window = None,
    margin: float = MARGIN,
    null: str | None = None,
    *,
    together: bool = True,
) -> pl.DataFrame:
    """Judge every family and field.

    *Duration-supported*: z is above that of the null and delta below it. *Flat*: z and delta are both equivalent to
    zero within the margin. *Below the null*: z is below that of the null. The first that holds, in this order, is the
    verdict; the sentence names what else holds. Where none is shown, the verdict is *undecided*, which is no sign of
    any of them. Unless ``together`` is false, a verdict must hold over all families and fields of the table.
    """
    if not margin > 0:
        raise InputError(f"the margin of flatness must be above 0, got {margin}")
    points = points_of(cascades, window)
    others = sorted(set(points.rows.get_column("variant")) - {REAL})
    null = null or ("N0" if "N0" in others else next(iter(others), None))
    sure, narrow = (_rows(window_intervals(points, None, level, along=False), "variant") for level in (0.95, 0.9))
    pairs = {"total": (REAL, null)} if null else {}
    totals = _rows(window_differences(points, None, 0.95, pairs, along=False), "difference") if pairs else {}
    rows = []
    for group in points.windows:
        real, close = (({e: table.get((*group, REAL, e), {}) for e in ("z", "delta")}) for table in (sure, narrow))
        total = {e: totals.get((*group, "total", e), {}) for e in ("z", "delta")}
        rows.append({"family": group[0], "field": group[1]} | judged(real, close, total, margin, null))
    return pl.DataFrame(over_all(rows, together), schema=VERDICT_SCHEMA)


def over_all(rows: list[dict[str, Any]], together: bool) -> list[dict[str, Any]]:
    """Take back the verdicts that do not hold over all families and fields together."""
    known = np.array([np.nan if row["p"] is None else row["p"] for row in rows], dtype=np.float64)
    asked = int(np.isfinite(known).sum())
    for row, p in zip(rows, holm(known), strict=True):
        row |= {"p_adjusted": None if np.isnan(p) else float(p), "asked": asked}
        if together and row["verdict"] != UNDECIDED and not p <= LEVEL:
            alone = row["sentence"][:1].lower() + row["sentence"][1:]
            row["sentence"] = (
                f"Taken alone it would be {row['verdict']} (p = {row['p']:.2g}), but {asked} fields were judged, and "
                f"over all of them that is not shown (p = {p:.2g}): {alone}"
            )
            row["verdict"] = UNDECIDED
    return rows


def _rows(table: pl.DataFrame, what: str) -> dict[tuple[str, ...], dict[str, Any]]:
    return {tuple(row[key] for key in ("family", "field", what, "exponent")): row for row in table.to_dicts()}


def judged(real: Parts, close: Parts, total: Parts, margin: float, null: str | None) -> dict[str, Any]:
    """Judge a family and field from 95 and 90 % intervals of z and delta, and those of their null differences."""
    flat = above = below = None
    if all(part.get("scales_low") is not None for part in close.values()):
        flat = all(-margin < part["scales_low"] and part["scales_high"] < margin for part in close.values())
    if all(part.get("scales_low") is not None for part in total.values()):
        # An interval of no width comes from scales that agree exactly; it holds no noise to judge a difference by.
        noisy = total["z"]["scales_se"] > 0
        above = noisy and total["z"]["scales_low"] > 0 and total["delta"]["scales_high"] < 0
        below = noisy and total["z"]["scales_high"] < 0
    verdict = SUPPORTED if above else FLAT if flat else BELOW if below else UNDECIDED
    p = _p_values(real, total, margin)
    if not total or not total["z"].get("scales_se"):
        p |= {SUPPORTED: None, BELOW: None}
    known = [value for value in p.values() if value is not None]
    answers = {
        f"{name}{suffix}{end}": part.get(column)
        for parts, suffix in ((real, ""), (total, "_total"))
        for name, part in parts.items()
        for end, column in _ENDS.items()
    }
    return {
        "verdict": verdict,
        "sentence": _sentence(verdict, (real, close, total), margin, null, bool(flat), bool(below)),
        "null": null,
        "margin": margin,
        "above_null": above,
        "flat": flat,
        "below_null": below,
        **answers,
        "p": p[verdict] if verdict in p else min(known, default=None),
        "n_scales": real["z"].get("n_scales", 0),
        "n_runs": real["z"].get("n_runs", 0),
        "n_steps": real["z"].get("scales_steps", 0),
    }


def _p_values(real: Parts, total: Parts, margin: float) -> dict[str, float | None]:
    """By how much chance each verdict would be given at most: the largest p of what it needs."""

    def tail(part: dict[str, Any], beyond: float, sign: int) -> float | None:
        """Chance of a value as far as this above (sign 1) or below ``beyond``, if the true one were there."""
        from scipy.special import stdtr

        if part.get("scales_low") is None:
            return None
        apart = sign * (part["scales_value"] - beyond)
        if part["scales_se"] == 0:
            return 0.0 if apart > 0 else 1.0
        return float(stdtr(part["n_scales"] - 2, -apart / part["scales_se"]))

    def needs(*parts: float | None) -> float | None:
        known = [part for part in parts if part is not None]
        return min(max(known), 1.0) if len(known) == len(parts) else None

    def twice(value: float | None) -> float | None:
        return None if value is None else 2 * value

    z, delta = total.get("z", {}), total.get("delta", {})
    inside = [tail(real[name], sign * -margin, sign) for name in ("z", "delta") for sign in (1, -1)]
    return {
        SUPPORTED: needs(twice(tail(z, 0, 1)), twice(tail(delta, 0, -1))),
        FLAT: needs(*inside),
        BELOW: needs(twice(tail(z, 0, -1))),
    }


def _sentence(
    verdict: str, parts: tuple[Parts, Parts, Parts], margin: float, null: str | None, flat: bool, below: bool
) -> str:
    real, close, total = parts
    against = f"z less that of {null} is {_number(total['z'])}" if total["z"].get("scales_low") is not None else ""
    if verdict == SUPPORTED:
        also = f" Both exponents are also within {margin:g} of zero." if flat else ""
        return (
            f"Cascades last longer in larger models than noise explains: {against}, and delta less that of {null} is "
            f"{_number(total['delta'])}.{also}"
        )
    if verdict == FLAT:
        also = f" Yet z lies below that of {null}: the difference is {_number(total['z'])}." if below else ""
        return (
            f"Neither duration nor transport efficiency changes with scale by more than a power of {margin:g}: z is "
            f"{_number(close['z'], 90)} and delta {_number(close['delta'], 90)}.{also}"
        )
    if verdict == BELOW:
        return f"Cascades gain less from scale than those of noise: {against}."
    missing = real["z"].get("scales_reason") if real["z"] else "no real field was measured"
    if missing:
        return f"Nothing can be said: {missing}."
    level = f"z is {_number(real['z'])} and delta {_number(real['delta'])}"
    if null is None:
        return f"No null was measured to compare with, and flatness within {margin:g} is not shown: {level}."
    if not against:
        why = total["z"].get("scales_reason") or f"{null} was not measured here"
        return f"There is no comparison with {null} ({why}), and flatness within {margin:g} is not shown: {level}."
    return (
        f"The intervals across {real['z']['n_scales']} scales leave it open: {against}, delta less that of {null} is "
        f"{_number(total['delta'])}, {level}."
    )


def _number(part: dict[str, Any], percent: int = 95) -> str:
    value, low, high = (part[name] for name in ("scales_value", "scales_low", "scales_high"))
    return f"{value:+.3f} ({percent} % interval {low:+.3f} to {high:+.3f})"
