"""The first paragraph of the page: what was found, for a reader in a hurry."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from gradcascade.report import words
from gradcascade.report.answers.base import label, listed
from gradcascade.report.answers.regimes import contrasts
from gradcascade.report.data import ReportData
from gradcascade.report.drawing.quantities import no_exponents
from gradcascade.scaling.claims import Side, side
from gradcascade.scaling.verdict import UNDECIDED
from gradcascade.vocabulary import EXPONENTS, REAL

FEW_SCALES = 6


def lead(data: ReportData) -> str:
    """Say in a few sentences what the verdicts are; names in it come from outside and must be escaped where shown."""
    nothing = "Nothing was measured yet." if data.cascades.is_empty() else no_exponents(data)
    if nothing is not None:
        return f"{nothing} {_measured(data)}"
    rows = data.answers["verdicts"].to_dicts()
    sentences = [f"{label(data, row)}: {_words(row)}." for row in rows]
    sentences += [_contrast(data, row) for row in contrasts(data).filter(pl.col("exponent") == "z").to_dicts()]
    sentences += [f"{empty.sentence}." for empty in data.empty_windows]
    counts = sorted({row["n_scales"] for row in rows if row["n_scales"]})
    if counts:
        span = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        wide = " so intervals are wide, and" if counts[0] <= FEW_SCALES else ""
        sentences.append(f"Each statement rests on {span} scales,{wide or ' and'} {_runs(data)}.")
    sentences.append(_questions(data))
    return " ".join(sentence for sentence in sentences if sentence)


def _questions(data: ReportData) -> str:
    """Say how many questions the report asks of the real fields, and how many of its claims may be chance."""
    tables = data.answers
    asked = {
        "the regime of a field": tables["verdicts"].filter(pl.col("p").is_not_null()).height,
        "z of gradients against updates": contrasts(data).filter(exponent="z").drop_nulls("scales_low").height,
        "bends": tables["window_curvature"].drop_nulls("p_adjusted").filter(_asked()).height,
        "lack of fit": tables["window_lack_of_fit"].drop_nulls("p_adjusted").filter(_asked()).height,
        "corrections": tables["corrections"].drop_nulls("p_adjusted").filter(_asked()).height,
    }
    if "associations" in tables:
        asked["associations"] = tables["associations"].drop_nulls("q").height
    asked = {words: count for words, count in asked.items() if count}
    total = sum(asked.values())
    if total < 2:
        return ""
    parts = listed(f"{count} on {words}" for words, count in asked.items())
    return (
        f"The page asks {total} questions: {parts}. A claim must hold over all questions of its kind on one field "
        "(on regimes, over all fields), so that by chance alone about one such set in twenty would make one."
    )


def _asked() -> pl.Expr:
    """Rows of the real fields and of exponents that no other decides."""
    decided = [name for name, exponent in EXPONENTS.items() if exponent.same_as]
    return (pl.col("variant") == REAL) & ~pl.col("exponent").is_in(decided)


def _measured(data: ReportData) -> str:
    if data.cascades.is_empty():
        return "The study holds no cascade."
    scales = sum(len(data.scales(family)) for family in data.families)
    steps = data.cascades["step"].n_unique()
    return (
        f"The study holds {data.cascades.height:,} cascade{'s' * (data.cascades.height > 1)} of {scales} "
        f"scale{'s' * (scales > 1)} at {steps:,} step{'s' * (steps > 1)}; what they show without a fit is below."
    )


def _runs(data: ReportData) -> str:
    several = data.several_runs
    if not several:
        return "one run of a scale may differ from the next"
    of = listed(f"{scale} ({len(runs)} runs)" for (_, scale), runs in several.items())
    return f"a scale is one point, the mean of its runs: {of}"


def _contrast(data: ReportData, row: Mapping[str, Any]) -> str:
    claim = side(row["scales_low"], row["scales_high"])
    names = f" of {row['family']}" if len(data.families) > 1 else ""
    if claim is Side.UNKNOWN:
        return ""
    if claim is Side.OPEN:
        return f"Between gradients and updates{names}, no difference in z is shown."
    longer = "gradients" if claim is Side.ABOVE else "updates"
    return f"In the same runs{names}, durations grow faster with scale for {longer}: a clear difference."


def _words(row: Mapping[str, Any]) -> str:
    null = row["null"] or "a null"
    noise = "noise" if null == "N0" else f"the null {null}"
    unknown = row["verdict"] == UNDECIDED and row["z_low"] is None
    return words.claim("verdicts", "unknown" if unknown else row["verdict"], noise=noise)
