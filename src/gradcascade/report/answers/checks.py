"""Answers that test the fits of the window: without single scales, the worth of their R2, with weights."""

from __future__ import annotations

import polars as pl

from gradcascade.report.answers.base import KEYS, SYMBOL, Answer, label, real_first, why_not
from gradcascade.report.data import ReportData
from gradcascade.report.tables import signed
from gradcascade.scaling.windows import in_window
from gradcascade.vocabulary import SYMBOLS


def leave_one_out_answer(data: ReportData) -> Answer:
    """Say how far the exponents hang on a single scale."""
    full = data.answers["leave_one_out"]
    inside, means = _means(
        data,
        full,
        "loo_low",
        value=pl.col("value").mean(),
        least=pl.col("loo_low").mean(),
        largest=pl.col("loo_high").mean(),
        least_without=pl.col("without_low").mode().sort().first(),
        largest_without=pl.col("without_high").mode().sort().first(),
    )
    sentences = [
        f"{label(data, row)}: without one of the scales, z would lie between {signed(row['least'])} (most often "
        f"without {row['least_without']}) and {signed(row['largest'])} (without {row['largest_without']}), instead "
        f"of {signed(row['value'])}, on average over the window."
        for row in means.filter(pl.col("variant") == "real", pl.col("exponent") == "z").to_dicts()
    ]
    if not sentences:
        sentences = [why_not(inside, "No scale can be left out")]
    how = (
        "Every fit of a step is made again without each of its scales in turn; the table gives the mean over the "
        "window of the least and of the largest exponent that arises. It needs four scales, since three cannot spare "
        "one.",
    )
    table = means.with_columns(SYMBOL)
    return Answer("leave-one-out", "Without one scale", tuple(sentences), table, how, full)


def compressibility_answer(data: ReportData) -> Answer:
    """Say what the R2 of the fits are worth."""
    full = data.answers["compressibility"]
    inside, table = _means(
        data,
        full,
        "r2",
        mean_R2=pl.col("r2").mean(),
        R2_of_noise=pl.col("null_mean").mean(),
        R2_to_exceed=pl.col("null_high").mean(),
        exceeding=pl.col("exceeds").sum(),
    )
    sentences = [
        f"{label(data, row)}: the R² of {SYMBOLS[row['exponent']]} averages {row['mean_R2']:.3f}, where noise "
        f"without any slope gives {row['R2_of_noise']:.3f}; it exceeds the 95 % quantile of noise at "
        f"{row['exceeding']:,} of {row['steps']:,} steps."
        for row in table.filter(pl.col("variant") == "real", pl.col("exponent").is_in(["z", "delta"])).to_dicts()
    ]
    how = (
        "For k scales with normal noise of one size and no slope at all, the R² of a line has a beta distribution "
        "with parameters 1/2 and (k − 2)/2: its mean is 1/(k − 1). A low R² is expected even of clean data where the "
        "slope is near zero. To exceed the 95 % quantile is the same as a t interval that excludes zero, so it is no "
        "second piece of evidence; it says what an R² is worth.",
    )
    said = tuple(sentences) or (why_not(inside, "There is no R²"),)
    return Answer("compressibility-null", "What the R² are worth", said, table.with_columns(SYMBOL), how, full)


def weighted_answer(data: ReportData) -> Answer:
    """Give the exponents with scales weighted by what their replicates scatter."""
    full = data.answers["weighted"]
    inside, table = _means(data, full, "value", weighted=pl.col("value").mean(), SD=pl.col("value").std())
    sentences = [
        f"{label(data, row)}, {row['variant']}: with weights z is {signed(row['weighted'])} on average."
        for row in table.filter(pl.col("exponent") == "z").to_dicts()
    ] or [why_not(inside, "Scales cannot be weighted")]
    how = (
        "Each scale has the weight 1 / variance of its mean; the variance of one cascade is that between replicates "
        "of one step, pooled over all steps. Errors come from the residuals of the line, as without weights.",
    )
    return Answer(
        "weighted", "Scales weighted by their replicates", tuple(sentences), table.with_columns(SYMBOL), how, full
    )


def _means(data: ReportData, full: pl.DataFrame, known: str, **columns: pl.Expr) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows inside the window, and what those with a known value come to over its steps."""
    inside = full.filter(in_window(full, data.windows)) if full.height else full
    groups = inside.drop_nulls(known).group_by(*KEYS, "exponent", maintain_order=True)
    return inside, real_first(groups.agg(**columns, steps=pl.len()))
