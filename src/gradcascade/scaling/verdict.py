"""The regime of a family and field: duration-supported, flat, below the null, like the null, or undecided.

All intervals are across scales (:mod:`gradcascade.scaling.window_means`), so that neither the correlation of steps
nor the difference between runs makes a verdict look surer than it is. A difference of regimes must show in a 95 %
interval; equivalence is shown by a 90 % interval inside the margin, which is the two one-sided tests at 5 %
(Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15, 1987). Every family and field asks once more, so
a verdict must hold with its p value times their number (Bonferroni): then at most one table of verdicts in twenty
holds a wrong one. What is asked of one field counts once, since it cannot differ from the null and be like it by
mistake both. Holm's steps would count a field no more once it is shown to be like the null, although it may still be
taken, wrongly, to differ.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl

from gradcascade.errors import InputError
from gradcascade.scaling.claims import LEVEL
from gradcascade.scaling.points import Cascades, points_of
from gradcascade.scaling.window_means import window_differences, window_intervals
from gradcascade.scaling.windows import Window
from gradcascade.tables.inferred import INFERRED
from gradcascade.vocabulary import REAL

SUPPORTED = "duration-supported"
FLAT = "flat"
BELOW = "below the null"
LIKE = "like the null"
UNDECIDED = "undecided"

MARGIN = 0.05
"""Default margin of equivalence: an exponent this large changes a quantity by 12 % when N grows tenfold."""

VERDICT_SCHEMA = INFERRED["verdicts"].schema
"""Columns of the table of verdicts, in order; ``_total`` is real less null, the intervals are of 95 %."""

Parts = dict[str, dict[str, Any]]
"""Rows of window means by exponent."""


class Judged(NamedTuple):
    """What a verdict rests on: intervals of z and delta, and of their differences from the null."""

    real: Parts
    """95 %."""
    close: Parts
    """90 %."""
    total: Parts
    """95 %."""
    beside: Parts
    """90 %."""


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
    zero within the margin. *Below the null*: z is below that of the null. *Like the null*: z and delta are both
    equivalent to those of the null within the margin. The first that holds, in this order, is the verdict; the
    sentence names what else holds. Where none is shown, the verdict is *undecided*, which is no sign of any of them.
    Unless ``together`` is false, a verdict must hold over all families and fields of the table.
    """
    if not margin > 0:
        raise InputError(f"the margin of equivalence must be above 0, got {margin}")
    points = points_of(cascades, window)
    others = sorted(set(points.rows.get_column("variant")) - {REAL})
    null = null or ("N0" if "N0" in others else next(iter(others), None))
    sure, narrow = (_rows(window_intervals(points, None, level, along=False), "variant") for level in (0.95, 0.9))
    pairs = {"total": (REAL, null)} if null else {}
    totals, near = (
        _rows(window_differences(points, None, level, pairs, along=False), "difference") if pairs else {}
        for level in (0.95, 0.9)
    )
    parts = [
        Judged(
            *(
                {e: table.get((*group, what, e), {}) for e in ("z", "delta")}
                for table, what in ((sure, REAL), (narrow, REAL), (totals, "total"), (near, "total"))
            )
        )
        for group in points.windows
    ]
    asked = sum(bool(p_values(real, total, margin)) for real, _, total, _ in parts)
    rows = [
        {"family": group[0], "field": group[1]} | judged(part, margin, null, asked, together)
        for group, part in zip(points.windows, parts, strict=True)
    ]
    return pl.DataFrame(rows, schema=VERDICT_SCHEMA)


def _rows(table: pl.DataFrame, what: str) -> dict[tuple[str, ...], dict[str, Any]]:
    return {tuple(row[key] for key in ("family", "field", what, "exponent")): row for row in table.to_dicts()}


def judged(parts: Judged, margin: float, null: str | None, asked: int = 1, together: bool = True) -> dict[str, Any]:
    """Judge one of several fields."""
    real, _, total, _ = parts
    p = p_values(real, total, margin)
    shown = [name for name in (SUPPORTED, FLAT, BELOW, LIKE) if p.get(name, 1.0) <= LEVEL]
    kept = [name for name in shown if asked * p[name] <= LEVEL or not together]
    verdict = next(iter(kept), UNDECIDED)
    told = verdict if kept else next(iter(shown), UNDECIDED)
    sentence = _sentence(told, parts, margin, null, FLAT in shown, BELOW in shown)
    if told != verdict:
        sentence = (
            f"Taken alone it would be {told} (p = {p[told]:.2g}), but {asked} fields were judged, and over all of "
            f"them that is not shown (p = {min(asked * p[told], 1.0):.2g}): {sentence[:1].lower()}{sentence[1:]}"
        )
    least = p[told] if shown else min(p.values(), default=None)
    answers = {
        f"{name}{suffix}{end}": part.get(column)
        for values, suffix in ((real, ""), (total, "_total"))
        for name, part in values.items()
        for end, column in _ENDS.items()
    }
    return {
        "verdict": verdict,
        "sentence": sentence,
        "null": null,
        "margin": margin,
        "above_null": SUPPORTED in shown if SUPPORTED in p else None,
        "flat": FLAT in shown if FLAT in p else None,
        "below_null": BELOW in shown if BELOW in p else None,
        "like_null": LIKE in shown if LIKE in p else None,
        **answers,
        "p": least,
        "p_adjusted": None if least is None else min(asked * least, 1.0),
        "asked": asked,
        "n_scales": real["z"].get("n_scales", 0),
        "n_runs": real["z"].get("n_runs", 0),
        "n_steps": real["z"].get("scales_steps", 0),
    }


def p_values(real: Parts, total: Parts, margin: float) -> dict[str, float]:
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

    def inside(*parts: dict[str, Any]) -> float | None:
        return needs(*(tail(part, sign * -margin, sign) for part in parts for sign in (1, -1)))

    found = {
        SUPPORTED: needs(twice(tail(z, 0, 1)), twice(tail(delta, 0, -1))),
        FLAT: inside(real["z"], real["delta"]),
        BELOW: needs(twice(tail(z, 0, -1))),
        LIKE: inside(z, delta),
    }
    # An interval of no width comes from scales that agree exactly; it holds no noise to judge a difference by.
    noisy = bool(z.get("scales_se"))
    return {name: p for name, p in found.items() if p is not None and (noisy or name == FLAT)}


def _sentence(verdict: str, parts: Judged, margin: float, null: str | None, flat: bool, below: bool) -> str:
    real, close, total, beside = parts
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
    if verdict == LIKE:
        apart = total["z"]["scales_low"] > 0
        also = f" Yet z lies above that of {null}: the difference is {_number(total['z'])}." if apart else ""
        return (
            f"Cascades change with scale as those of noise do, within a power of {margin:g}: z less that of {null} "
            f"is {_number(beside['z'], 90)}, and delta less that of {null} is {_number(beside['delta'], 90)}.{also}"
        )
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
