"""What one answer of the page consists of, and the words all of them share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from gradcascade.report.data import ReportData
from gradcascade.report.tables import ABSENT, MINUS, SYMBOLS, signed
from gradcascade.scaling.window_means import CONTROL_PARTS

DIFFERENCES = {
    "total": f"real {MINUS} N0",
    "dist": f"N2 {MINUS} N0 (distribution)",
    "assign": f"real {MINUS} N2 (assignment)",
    **{name: f"{first} {MINUS} {second}" for name, (first, second) in CONTROL_PARTS.items()},
}
"""Null differences and controls in the words of the page."""

KEYS = ("family", "field", "variant")
SYMBOL = pl.col("exponent").replace(SYMBOLS)
NAME_LIMIT = 6


@dataclass(frozen=True)
class Answer:
    """One question about a study, answered.

    Attributes
    ----------
    name : str
        Short name, unique on the page; also that of its file.
    title : str
        The question, or what is answered.
    sentences : tuple of str
        The answer in words; names in it come from outside and must be escaped where they are shown.
    table : polars.DataFrame
        The numbers, to be read.
    how : tuple of str
        How they were computed, with the source of the method.
    full : polars.DataFrame or None
        The whole table of the library, where the one shown is a summary; written beside the page.
    """

    name: str
    title: str
    sentences: tuple[str, ...]
    table: pl.DataFrame
    how: tuple[str, ...]
    full: pl.DataFrame | None = None


def interval(low: float | None, high: float | None) -> str:
    """Write an interval.

    Parameters
    ----------
    low, high : float or None
        Its ends.

    Returns
    -------
    str
        For example "+0.12 to +0.20"; a dash where there is none.
    """
    return ABSENT if low is None or high is None else f"{signed(low)} to {signed(high)}"


def label(data: ReportData, row: Mapping[str, Any]) -> str:
    """Name the family and field of a row at the start of a sentence, the family only where there are several.

    Parameters
    ----------
    data : ReportData
        The report.
    row : mapping
        With ``family`` and ``field``.

    Returns
    -------
    str
        For example "Gradients", or "nano, gradients"; a family keeps its spelling.
    """
    plural = f"{row['field']}s"
    return f"{row['family']}, {plural}" if len(data.families) > 1 else plural[:1].upper() + plural[1:]


def listed(names: Iterable[str]) -> str:
    """Write names in a row, the first few of many.

    Parameters
    ----------
    names : iterable of str
        Any names.

    Returns
    -------
    str
        "a, b and c"; of more than six the first six and how many more.
    """
    known = list(names)
    if len(known) > NAME_LIMIT:
        known = [*known[:NAME_LIMIT], f"{len(known) - NAME_LIMIT} more"]
    return " and ".join(part for part in (", ".join(known[:-1]), known[-1] if known else "") if part)


def typeset(sentence: str) -> str:
    """Set the minus signs and the exponents of a sentence written in plain letters.

    Parameters
    ----------
    sentence : str
        For example "z is -0.036 and delta +0.033".

    Returns
    -------
    str
        For example "z is −0.036 and δ +0.033".
    """
    greek = re.sub(r"\bdelta\b", "δ", re.sub(r"\bbeta\b", "β", sentence))
    return re.sub(r"(?<![\w.])-(?=\d)", MINUS, greek)


def real_first(table: pl.DataFrame) -> pl.DataFrame:
    """Sort a table by family, field and variant, real fields before nulls.

    Parameters
    ----------
    table : polars.DataFrame
        With the columns family, field and variant.

    Returns
    -------
    polars.DataFrame
        Rows of one variant stay in their order.
    """
    return table.sort("family", "field", pl.col("variant") != "real", "variant", maintain_order=True)


def why_not(table: pl.DataFrame, start: str) -> str:
    """Say why something is missing, by the most frequent reason in a table.

    Parameters
    ----------
    table : polars.DataFrame
        With the column reason, where anything could be missing.
    start : str
        What is missing, as the start of the sentence.

    Returns
    -------
    str
        A sentence.
    """
    reason = commonest(table["reason"]) if "reason" in table.columns else None
    return f"{start}: {reason or 'there is no exponent in the window'}."


def commonest(reasons: pl.Series) -> str | None:
    """Find the most frequent reason.

    Parameters
    ----------
    reasons : polars.Series
        Text, null where nothing is missing.

    Returns
    -------
    str or None
        None where there is no reason at all.
    """
    known = reasons.drop_nulls()
    if known.is_empty():
        return None
    return known.value_counts(sort=True).get_column(known.name)[0]


def without_empty_missing(table: pl.DataFrame) -> pl.DataFrame:
    """Drop the column of reasons where nothing is missing.

    Parameters
    ----------
    table : polars.DataFrame
        With the column missing.

    Returns
    -------
    polars.DataFrame
        The other columns as they were.
    """
    return table.drop("missing") if table["missing"].is_null().all() else table
