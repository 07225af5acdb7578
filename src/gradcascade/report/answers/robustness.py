"""The answer about other choices of the method: how far they, and the nulls, move the exponents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from gradcascade.report.answers.base import Answer, interval, label, without_empty_missing
from gradcascade.report.data import ReportData
from gradcascade.report.tables import signed
from gradcascade.vocabulary import SYMBOLS

CONTROL = "control"
"""Kind of the rows in which a null takes the place of the real field: no choice of the method."""

TOLD = ("z", "delta")


def robustness_answer(data: ReportData) -> Answer | None:
    """Say how far other choices of the method move the exponents, and which moves them most."""
    full = data.robustness
    if full is None or full.is_empty():
        return None
    places = [name for name in ("family", "field") if name in full.columns]
    groups = full.partition_by(places, maintain_order=True) if places else [full]
    said = tuple(sentence for group in groups for sentence in _sentences(data, group, bool(places[1:])))
    how = (
        "The cascades of a sample of the window's steps are measured again with one setting of the probe changed, or "
        "with a null in the place of the real field; a shift is the exponent found so less the one as planned, "
        "averaged over the steps that have both.",
        "The 95 % interval is Student's, of the paired differences of the steps. It holds for these very runs and "
        "knows nothing of the spread between runs.",
    )
    table = pl.DataFrame([_shown(row, places) for row in full.to_dicts()], infer_schema_length=None)
    return Answer(
        "robustness",
        "Other choices of the method",
        said or ("No shift of z or δ is known.",),
        without_empty_missing(table),
        how,
        full,
    )


def _sentences(data: ReportData, group: pl.DataFrame, placed: bool) -> list[str]:
    start = f"{label(data, group.row(0, named=True))}: " if placed else ""
    known = group.drop_nulls("shift")
    control = pl.col("kind") == CONTROL if "kind" in known.columns else pl.lit(False)
    found = []
    for exponent in TOLD:
        rows = known.filter(~control, pl.col("exponent") == exponent)
        if rows.is_empty():
            continue
        symbol, count = SYMBOLS[exponent], rows.height
        name, shift = _farthest(rows)
        if count == 1:
            found.append(f"{start}the choice {name} moves {symbol} by {shift}.")
            continue
        clear = rows.filter((pl.col("low") > 0) | (pl.col("high") < 0)).height
        ends = interval(*rows.select(low=pl.col("shift").min(), high=pl.col("shift").max()).row(0))
        found.append(
            f"{start}of {count} choices, {name} moves {symbol} most, by {shift}; their shifts are {ends}, and the "
            f"interval excludes zero for {clear} of them."
        )
    nulls = known.filter(control, pl.col("exponent") == "z")
    if nulls.height:
        name, shift = _farthest(nulls)
        found.append(f"{start}of the nulls in the place of the real field, {name} moves z most, by {shift}.")
    return found if placed else [sentence[:1].upper() + sentence[1:] for sentence in found]


def _farthest(rows: pl.DataFrame) -> tuple[str, str]:
    """What shifts most, and the shift in words: how far, and whether its interval excludes zero."""
    row = rows.sort(pl.col("shift").abs(), descending=True, maintain_order=True).row(0, named=True)
    clear = _excludes_zero(row)
    within = f"95 % interval {interval(row['low'], row['high'])}, which {'excludes' if clear else 'includes'} zero"
    if clear is None:
        within = "without an interval"
    return row["choice"], f"{signed(row['shift'])} ({within})"


def _excludes_zero(row: Mapping[str, Any]) -> bool | None:
    return None if row["low"] is None or row["high"] is None else row["low"] > 0 or row["high"] < 0


def _shown(row: dict[str, Any], places: list[str]) -> dict[str, Any]:
    named = {name: row[name] for name in places}
    null = {"choice": f"null {row['choice']}"} if row.get("kind") == CONTROL else {"choice": row["choice"]}
    planned = {"as planned": signed(row["planned"])} if "planned" in row else {}
    steps = {"steps": row["n_steps"]} if "n_steps" in row else {}
    clear = _excludes_zero(row)
    return {
        **named,
        **null,
        "exponent": SYMBOLS.get(row["exponent"], row["exponent"]),
        **planned,
        "shift": signed(row["shift"]),
        "95 % of the shift": interval(row["low"], row["high"]),
        "excludes zero": None if clear is None else "yes" if clear else "no",
        **steps,
        "missing": row.get("reason"),
    }
