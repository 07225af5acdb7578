"""The first answers: which regime, how the exponents stand to the nulls, and gradients against updates."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from gradcascade.report.answers.base import (
    DIFFERENCE,
    Answer,
    answer,
    difference_words,
    interval,
    label,
    real_first,
    typeset,
)
from gradcascade.report.data import ReportData
from gradcascade.report.page_tables import signed
from gradcascade.scaling.claims import side
from gradcascade.scaling.verdict import MARGIN
from gradcascade.vocabulary import SYMBOLS

FIELDS = ("gradient", "update")

OTHER_DURATIONS = {"continuous": "the extinction time", "profile": "the stretch of the whole profile"}
"""Durations beside n_steps, in the words of the page."""


def verdict_answer(data: ReportData) -> Answer:
    """Say the regime of every family and field."""
    full = data.answers["verdicts"]
    sentences = (f"{label(data, row)}: {row['verdict']}. {typeset(row['sentence'])}" for row in full.to_dicts())
    return answer("verdicts", [*sentences, *_other_durations(data)], full, full, margin=MARGIN)


def _against_null(row: Mapping[str, Any]) -> str:
    """Write z with its interval and that of its difference to the null, and say where that is small as a whole."""
    told = f"z = {signed(row['z'])}, {interval(row['z_low'], row['z_high'])}"
    low, high = row["z_total_low"], row["z_total_high"]
    if low is None:
        return told
    none = f", so within {MARGIN:g} of it" if -MARGIN < low < high < MARGIN else ""
    return f"{told}; less that of {row['null']} {signed(row['z_total'])}, {interval(low, high)}{none}"


def _other_durations(data: ReportData) -> list[str]:
    """The verdict by the extinction time and by the whole profile, beside that by n_steps as published."""
    if "duration_verdicts" not in data.answers:
        return []
    rows = {
        (row["family"], row["field"], row["duration"]): row for row in data.answers["duration_verdicts"].to_dicts()
    }
    sentences = []
    for row in data.answers["verdicts"].to_dicts():
        parts = [
            f"{other['verdict']} by {words} ({_against_null(other)})"
            for name, words in OTHER_DURATIONS.items()
            if (other := rows.get((row["family"], row["field"], name))) and other["z_low"] is not None
        ]
        if parts:
            sentences.append(f"{label(data, row)}, with durations that are not rounded: {' and '.join(parts)}.")
    return sentences


def contrast_answer(data: ReportData) -> Answer | None:
    """Compare gradients with updates of the same runs; None where no family has both."""
    full = contrasts(data)
    if full["method"].is_null().all():
        return None
    sentences = (_contrast_sentence(data, full, family) for family in full["family"].unique(maintain_order=True))
    return answer("contrast", sentences, full, full)


def contrasts(data: ReportData) -> pl.DataFrame:
    """Gradients against updates, as :func:`gradcascade.scaling.contrasts.field_contrasts`."""
    pair = [pl.col(name) == field for name, field in zip(("first", "second"), FIELDS, strict=True)]
    return data.answers["contrasts"].filter(*pair)


def _contrast_sentence(data: ReportData, full: pl.DataFrame, family: str) -> str:
    named = {row["exponent"]: row for row in full.filter(pl.col("family") == family).to_dicts()}
    start = f"{family}: between" if len(data.families) > 1 else "Between"
    z, delta = named["z"], named["delta"]
    if z["scales_low"] is None:
        return f"{start} gradients and updates no difference can be given: {z['scales_reason']}."
    claims = {SYMBOLS[row["exponent"]]: side(row["scales_low"], row["scales_high"]) for row in (z, delta)}
    shown = [symbol for symbol, claim in claims.items() if claim.clear]
    verdict = f"a difference in {' and '.join(shown)} is shown" if shown else "no difference is shown"
    apart = ""
    if z["code"] == "unequal-n":
        apart = (
            f" The fields differ in N (scale {z['code_scale']}: {z['n_first']:,} entries in the gradient, "
            f"{z['n_second']:,} in the update), so each has a line of its own."
        )
    alone = f" Only one of the fields was measured of {z['unmatched']}." if z["unmatched"] else ""
    return (
        f"{start} gradients and updates of the same runs, z differs by {signed(z['scales_value'])} (95 % interval "
        f"{interval(z['scales_low'], z['scales_high'])}) and δ by {signed(delta['scales_value'])} "
        f"({interval(delta['scales_low'], delta['scales_high'])}), across {z['n_scales']} scales: {verdict}."
        f"{apart}{alone}"
    )


def interval_answer(data: ReportData) -> Answer:
    """Give the mean of every exponent over the window with both intervals."""
    full = real_first(data.answers["intervals"])
    real = full.filter(pl.col("variant") == "real", pl.col("exponent").is_in(["z", "delta"]))
    sentences = tuple(
        f"{label(data, row)}: {SYMBOLS[row['exponent']]} = {signed(row['scales_value'])}, between "
        f"{interval(row['scales_low'], row['scales_high']).replace(' to ', ' and ')} with 95 % confidence."
        for row in real.drop_nulls("scales_low").to_dicts()
    )
    if not sentences:
        sentences = (_nothing("There is no interval across scales", full, "no real field was measured"),)
    return answer("intervals", sentences, full, full)


def difference_answer(data: ReportData) -> Answer:
    """Give the differences to the nulls with both intervals."""
    full = data.answers["differences"]
    z = full.filter(pl.col("exponent") == "z")
    sentences = tuple(
        f"{label(data, row)}, {difference_words(row['difference'])}: z changes by {signed(row['scales_value'])} "
        f"({interval(row['scales_low'], row['scales_high'])})."
        for row in z.drop_nulls("scales_low").to_dicts()
    )
    if not sentences:
        sentences = (_nothing("There is no difference to give", z, "no null was measured beside real fields"),)
    return answer("differences", sentences, full.with_columns(DIFFERENCE), full)


def _nothing(start: str, full: pl.DataFrame, otherwise: str) -> str:
    reasons = full["scales_reason"].drop_nulls().unique(maintain_order=True).to_list()
    return f"{start}: {'; '.join(reasons[:2]) or otherwise}."
