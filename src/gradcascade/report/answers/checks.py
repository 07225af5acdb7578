"""Answers that test the fits of the window: without single scales, the worth of their R2, with weights."""

import polars as pl

from gradcascade.report.answers.base import Answer, answer, label, real_first, why_not
from gradcascade.report.data import ReportData
from gradcascade.report.page_tables import signed
from gradcascade.scaling.step_means import window_compressibility, window_leave_one_out, window_weighted
from gradcascade.scaling.windows import in_window
from gradcascade.vocabulary import SYMBOLS

_REAL = pl.col("variant") == "real"


def leave_one_out_answer(data: ReportData) -> Answer:
    """Say how far the exponents hang on a single scale."""
    full = data.answers["leave_one_out"]
    means = real_first(window_leave_one_out(full, data.windows))
    sentences = [
        f"{label(data, row)}: without one of the scales, z would lie between {signed(row['least'])} (most often "
        f"without {row['least_without']}) and {signed(row['largest'])} (without {row['largest_without']}) instead "
        f"of at {signed(row['value'])}, on average over the window."
        for row in means.filter(_REAL, pl.col("exponent") == "z").to_dicts()
    ]
    return _answer(data, "leave-one-out", sentences, "No scale can be left out", means, full)


def compressibility_answer(data: ReportData) -> Answer:
    """Say what the R2 of the fits are worth."""
    full = data.answers["compressibility"]
    table = real_first(window_compressibility(full, data.windows))
    sentences = [
        f"{label(data, row)}: the R² of {SYMBOLS[row['exponent']]} averages {row['mean_R2']:.3f}, where noise "
        f"without any slope gives {row['R2_of_noise']:.3f}; it exceeds the 95 % quantile of noise at "
        f"{row['exceeding']:,} of {row['steps']:,} steps."
        for row in table.filter(_REAL, pl.col("exponent").is_in(["z", "delta"])).to_dicts()
    ]
    return _answer(data, "compressibility-null", sentences, "There is no R²", table, full)


def weighted_answer(data: ReportData) -> Answer:
    """Give the exponents with scales weighted by what their replicates scatter."""
    full = data.answers["weighted"]
    table = real_first(window_weighted(full, data.windows))
    sentences = [
        f"{label(data, row)}, {row['variant']}: with weights z is {signed(row['weighted'])} on average."
        for row in table.filter(pl.col("exponent") == "z").to_dicts()
    ]
    return _answer(data, "weighted", sentences, "Scales cannot be weighted", table, full)


def _answer(
    data: ReportData, name: str, sentences: list[str], none: str, table: pl.DataFrame, full: pl.DataFrame
) -> Answer:
    inside = full.filter(in_window(full, data.windows)) if full.height else full
    return answer(name, sentences or [why_not(inside, none)], table, full)
