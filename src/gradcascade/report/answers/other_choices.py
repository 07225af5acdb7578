"""The answer about other choices of the method: how far they, and the nulls, move the exponents."""

import polars as pl

from gradcascade.report.answers.base import Answer, answer, interval, label
from gradcascade.report.data import ReportData
from gradcascade.report.page_tables import signed
from gradcascade.scaling.choice_shifts import CONTROL, MOVES
from gradcascade.scaling.claims import Side, side, sides
from gradcascade.vocabulary import SYMBOLS

TOLD = ("z", "delta")


def robustness_answer(data: ReportData) -> Answer | None:
    """Say how far other choices of the method move the exponents, and which moves them most."""
    full = data.robustness
    if full is None or full.is_empty():
        return None
    places = [name for name in ("family", "field") if name in full.columns]
    groups = full.partition_by(places, maintain_order=True) if places else [full]
    said = tuple(sentence for group in groups for sentence in _sentences(data, group, bool(places[1:])))
    known = {claim.value: claim.clear for claim in Side if claim is not Side.UNKNOWN}
    rows = full.with_columns(clear=sides().replace_strict(known, default=None, return_dtype=pl.Boolean))
    if "kind" in full.columns:
        null = pl.format("null {}", "choice")
        rows = rows.with_columns(choice=pl.when(kind=CONTROL).then(null).otherwise("choice"))
    return answer("robustness", said or ("No shift of z or δ is known.",), rows, full)


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
        if "verdict" in rows.columns:
            many, clear = rows["looked_at"].max(), rows.filter(pl.col("verdict") == MOVES).height
            said = f"judged over all {many} shifts looked at, {symbol} moves with {clear} of them"
        else:  # a table from elsewhere
            clear = sum(side(*ends).clear for ends in rows.select("low", "high").iter_rows())
            said = f"the interval excludes zero for {clear} of them"
        ends = interval(*rows.select(low=pl.col("shift").min(), high=pl.col("shift").max()).row(0))
        found.append(
            f"{start}of {count} choices, {name} moves {symbol} most, by {shift}; their shifts are {ends}, and {said}."
        )
    nulls = known.filter(control, pl.col("exponent") == "z")
    if nulls.height:
        name, shift = _farthest(nulls)
        found.append(f"{start}of the nulls in the place of the real field, {name} moves z most, by {shift}.")
    return found if placed else [sentence[:1].upper() + sentence[1:] for sentence in found]


def _farthest(rows: pl.DataFrame) -> tuple[str, str]:
    """What shifts most, and the shift in words: how far, and whether its interval excludes zero."""
    row = rows.sort(pl.col("shift").abs(), descending=True, maintain_order=True).row(0, named=True)
    claim = side(row["low"], row["high"])
    within = (
        f"95 % interval {interval(row['low'], row['high'])}, which {'excludes' if claim.clear else 'includes'} zero"
    )
    if claim is Side.UNKNOWN:
        within = "without an interval"
    return row["choice"], f"{signed(row['shift'])} ({within})"
