"""The first answers: which regime, how the exponents stand to the nulls, and gradients against updates."""

from __future__ import annotations

from typing import Any

import polars as pl

from gradcascade.report.answers.base import (
    DIFFERENCES,
    Answer,
    interval,
    label,
    real_first,
    typeset,
)
from gradcascade.report.data import ReportData
from gradcascade.report.tables import MINUS, signed
from gradcascade.scaling.verdict import MARGIN
from gradcascade.scaling.window_means import window_differences
from gradcascade.vocabulary import SYMBOLS

ACROSS = (
    "Across scales: the logarithms of a channel are averaged over the window first, one point per scale, and a line "
    "is fitted to the points by least squares; the 95 % interval is value ± t(0.975, k − 2) × standard error for k "
    "scales. It holds however the steps are correlated, and it contains what differs between the runs of the scales."
)
ALONG = (
    "Along training: the mean of the exponents of the window's steps, with a 95 % interval that allows for "
    "correlated steps (a t interval of a first-order autoregression, averaged over what the series leaves open about "
    "its correlation); it needs five steps, and it knows nothing of the spread between runs."
)
FIELDS = ("gradient", "update")


def verdict_answer(data: ReportData) -> Answer:
    """Say the regime of every family and field."""
    rows = data.answers["verdicts"]
    sentences = tuple(f"{label(data, row)}: {row['verdict']}. {typeset(row['sentence'])}" for row in rows.to_dicts())
    table = [
        {
            "family": row["family"],
            "field": row["field"],
            "verdict": row["verdict"],
            "z": signed(row["z"]),
            "z, 95 %": interval(row["z_low"], row["z_high"]),
            "δ": signed(row["delta"]),
            "δ, 95 %": interval(row["delta_low"], row["delta_high"]),
            "null": row["null"],
            "z less null": signed(row["z_total"]),
            "z less null, 95 %": interval(row["z_total_low"], row["z_total_high"]),
            "δ less null": signed(row["delta_total"]),
            "δ less null, 95 %": interval(row["delta_total_low"], row["delta_total_high"]),
            "scales": row["n_scales"],
            "steps": row["n_steps"],
        }
        for row in rows.to_dicts()
    ]
    how = (
        "Duration-supported: z lies above that of the null and δ below it, both 95 % intervals excluding zero. Flat: "
        f"the 90 % intervals of z and δ both lie within ±{MARGIN:g}, which is two one-sided tests at 5 % "
        "(Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15, 1987). Below the null: z lies below that "
        "of the null. Undecided: none of these is shown, which is no sign of any of them.",
        ACROSS,
    )
    return Answer("verdicts", "The regime of each field", sentences, pl.DataFrame(table), how, rows)


def contrast_answer(data: ReportData) -> Answer | None:
    """Compare gradients with updates of the same runs.

    The two fields take the places of two variants in :func:`gradcascade.scaling.window_means.window_differences`:
    logarithms are subtracted step by step and scale by scale, so what the runs share drops out.
    """
    rows = contrast_rows(data)
    if not rows:
        return None
    sentences = tuple(_contrast_sentence(data, rows, family) for family in dict.fromkeys(r["family"] for r in rows))
    table = [
        {
            "family": row["family"],
            "exponent": SYMBOLS[row["exponent"]],
            "gradient − update": signed(row["scales_value"]),
            "95 % across scales": interval(row["scales_low"], row["scales_high"]),
            "mean along training": signed(row["mean"]),
            "95 % along training": interval(row["low"], row["high"]),
            "scales": row["n_scales"],
            "steps": row["scales_steps"],
        }
        for row in rows
    ]
    how = (
        "At every step and scale that both fields have in their windows, the logarithm of a channel for updates is "
        "subtracted from that for gradients of the same run; the exponent of the difference is the slope of what is "
        "left on log N.",
        ACROSS,
        ALONG,
    )
    return Answer("contrast", "Gradients against updates of the same runs", sentences, pl.DataFrame(table), how)


def contrast_rows(data: ReportData) -> list[dict[str, Any]]:
    """Compute the differences between gradients and updates."""
    parts = [_contrast(data, family) for family in data.families]
    return [row for part in parts if part is not None for row in part.to_dicts()]


def _contrast(data: ReportData, family: str) -> pl.DataFrame | None:
    spans = [data.windows[family, field] for field in FIELDS if (family, field) in data.windows]
    first, last = max(ends[0] for ends in spans) if spans else 0, min(ends[1] for ends in spans) if spans else 0
    real = data.cascades.filter(
        pl.col("family") == family, pl.col("variant") == "real", pl.col("step").is_between(first, last)
    )
    if real["field"].n_unique() < len(FIELDS) or first > last:
        return None
    swapped = real.with_columns(variant=pl.col("field"), field=pl.lit("both"))
    return window_differences(swapped, (first, last), parts={"contrast": FIELDS})


def _contrast_sentence(data: ReportData, rows: list[dict[str, Any]], family: str) -> str:
    named = {row["exponent"]: row for row in rows if row["family"] == family}
    start = f"{family}: between" if len(data.families) > 1 else "Between"
    z, delta = named["z"], named["delta"]
    if z["scales_low"] is None:
        return f"{start} gradients and updates no difference can be given: {z['scales_reason']}."
    shown = [SYMBOLS[row["exponent"]] for row in (z, delta) if row["scales_low"] > 0 or row["scales_high"] < 0]
    verdict = f"a difference in {' and '.join(shown)} is shown" if shown else "no difference is shown"
    return (
        f"{start} gradients and updates of the same runs, z differs by {signed(z['scales_value'])} (95 % interval "
        f"{interval(z['scales_low'], z['scales_high'])}) and δ by {signed(delta['scales_value'])} "
        f"({interval(delta['scales_low'], delta['scales_high'])}), across {z['n_scales']} scales: {verdict}."
    )


def interval_answer(data: ReportData) -> Answer:
    """Give the mean of every exponent over the window with both intervals."""
    full = real_first(data.answers["intervals"])
    wanted = full.filter(pl.col("variant") == "real", pl.col("exponent").is_in(["z", "delta"])).to_dicts()
    sentences = tuple(
        f"{label(data, row)}: {SYMBOLS[row['exponent']]} = {signed(row['scales_value'])}, between "
        f"{interval(row['scales_low'], row['scales_high']).replace(' to ', ' and ')} with 95 % confidence."
        for row in wanted
        if row["scales_low"] is not None
    )
    if not sentences:
        reasons = full["scales_reason"].drop_nulls().unique(maintain_order=True).to_list()
        sentences = (
            f"There is no interval across scales: {'; '.join(reasons[:2]) or 'no real field was measured'}.",
        )
    how = (ACROSS, ALONG, "Mean ± SD is that over the window's steps, as in arXiv:2605.02968; the SD is no error.")
    return Answer(
        "intervals", "Every exponent with its intervals", sentences, _two_intervals(full, "variant"), how, full
    )


def difference_answer(data: ReportData) -> Answer:
    """Give the differences to the nulls with both intervals."""
    full = data.answers["differences"]
    wanted = full.filter(pl.col("exponent") == "z").to_dicts()
    sentences = tuple(
        f"{label(data, row)}, {DIFFERENCES[row['difference']]}: z changes by {signed(row['scales_value'])} "
        f"({interval(row['scales_low'], row['scales_high'])})."
        for row in wanted
        if row["scales_low"] is not None
    )
    if not sentences:
        sentences = (_no_difference(wanted),)
    named = full.with_columns(pl.col("difference").replace(DIFFERENCES))
    how = (
        "The difference of real fields and normal noise N0 splits exactly into what the values' distribution does, "
        f"N2 {MINUS} N0, and what their places do, real {MINUS} N2 (arXiv:2605.02968). Logarithms are subtracted "
        "step by step and scale by scale before a line is fitted.",
        ACROSS,
        ALONG,
    )
    title = "Differences to the nulls with their intervals"
    return Answer("differences", title, sentences, _two_intervals(named, "difference"), how, full)


def _no_difference(rows: list[dict[str, Any]]) -> str:
    reasons = list(dict.fromkeys(row["scales_reason"] for row in rows if row["scales_reason"]))
    why = "; ".join(reasons[:2]) or "no null was measured beside real fields"
    return f"There is no difference to give: {why}."


def _two_intervals(full: pl.DataFrame, what: str) -> pl.DataFrame:
    rows = [
        {
            "family": row["family"],
            "field": row["field"],
            what: row[what],
            "exponent": SYMBOLS.get(row["exponent"], row["exponent"]),
            "across scales": signed(row["scales_value"]),
            "95 % across scales": interval(row["scales_low"], row["scales_high"]),
            "mean along training": signed(row["mean"]),
            "SD": row["sd"],
            "95 % along training": interval(row["low"], row["high"]),
            "scales": row["n_scales"],
            "steps": row["n_steps"],
            "missing because": row["scales_reason"] or row["reason"],
        }
        for row in full.to_dicts()
    ]
    table = pl.DataFrame(rows, infer_schema_length=None) if rows else pl.DataFrame()
    empty = "missing because" in table.columns and table["missing because"].is_null().all()
    return table.drop("missing because") if empty else table
