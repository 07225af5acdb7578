"""What one answer of the page consists of, and the words all of them share."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from gradcascade.fields.kinds import field_plural
from gradcascade.report import words
from gradcascade.report.data import ReportData
from gradcascade.report.page_tables import ABSENT, MINUS, signed
from gradcascade.vocabulary import SYMBOLS

DIFFERENCES = {
    "total": f"real {MINUS} N0",
    "dist": f"N2 {MINUS} N0 (distribution)",
    "assign": f"real {MINUS} N2 (assignment)",
}
"""Null differences in the words of the page."""


def difference_words(name: str) -> str:
    """Null difference in the words of the page; one with a further null is named as the null."""
    return DIFFERENCES.get(name, f"real {MINUS} {name}")


DIFFERENCE = pl.col("difference").replace_strict(DIFFERENCES, default=pl.format(f"real {MINUS} {{}}", "difference"))
"""The same for a column."""

KEYS = ("family", "field", "variant")
SYMBOL = pl.col("exponent").replace(SYMBOLS)
NAME_LIMIT = 6


@dataclass(frozen=True)
class Answer:
    """One question answered; names in its sentences are not escaped. `full`: the whole table behind a summary."""

    name: str
    title: str
    sentences: tuple[str, ...]
    table: pl.DataFrame
    how: tuple[str, ...]
    full: pl.DataFrame | None = None


def answer(
    name: str, sentences: Iterable[str], rows: pl.DataFrame, full: pl.DataFrame | None = None, **values: object
) -> Answer:
    """Make an answer with its heading, columns and method from words/answers.toml; ``values`` fill the braces."""
    rows = rows.with_columns(SYMBOL) if "exponent" in rows.columns else rows
    columns = words.columns(name)
    table = arranged(rows, columns) if columns else rows
    for reasons in ("missing", "missing because"):
        table = without_empty_missing(table, reasons)
    return Answer(name, words.title(name), tuple(sentences), table, words.how(name, **values), full)


def arranged(rows: pl.DataFrame, columns: Mapping[str, str]) -> pl.DataFrame:
    """Columns by heading, written as words/answers.toml describes; those that the rows lack are left out."""
    parts = {heading: re.findall(r"\w+", written) or [heading] for heading, written in columns.items()}
    known = {heading: names for heading, names in parts.items() if set(names) <= set(rows.columns)}
    return rows.select(_written(columns[heading], names).alias(heading) for heading, names in known.items())


def _written(how: str, names: list[str]) -> pl.Expr:
    column, both = pl.col(names[0]), pl.struct(names)
    if "|" in how:
        return pl.coalesce(names)
    if "?" in how:
        return pl.when(column).then(pl.lit("yes")).when(~column).then(pl.lit("no"))
    if ".." in how:
        text = both.map_elements(lambda ends: interval(*ends.values()), return_dtype=pl.String, skip_nulls=False)
    elif "±" in how:
        return both.map_elements(lambda pair: spread(*pair.values()), return_dtype=pl.String, skip_nulls=False)
    elif how[:1] in ("+", "~"):
        text = column.map_elements(signed, return_dtype=pl.String, skip_nulls=False)
    else:
        return column
    return text.str.replace_all("+", "", literal=True) if how[0] == "~" else text


def spread(value: float | None, sd: float | None) -> str:
    """Write a mean with its spread, where it has one."""
    return signed(value) if sd is None else f"{signed(value)} ± {sd:.3f}"


def interval(low: float | None, high: float | None) -> str:
    """Write an interval."""
    return ABSENT if low is None or high is None else f"{signed(low)} to {signed(high)}"


def label(data: ReportData, row: Mapping[str, Any]) -> str:
    """Name the family and field of a row at the start of a sentence, the family only where there are several."""
    plural = field_plural(row["field"])
    return f"{row['family']}, {plural}" if len(data.families) > 1 else plural[:1].upper() + plural[1:]


def listed(names: Iterable[str]) -> str:
    """Write names in a row, the first few of many."""
    known = list(names)
    if len(known) > NAME_LIMIT:
        known = [*known[:NAME_LIMIT], f"{len(known) - NAME_LIMIT} more"]
    return " and ".join(part for part in (", ".join(known[:-1]), known[-1] if known else "") if part)


def typeset(sentence: str) -> str:
    """Set the minus signs and the exponents of a sentence written in plain letters."""
    for name, symbol in SYMBOLS.items():
        sentence = re.sub(rf"\b{name}\b", symbol, sentence)
    return re.sub(r"(?<![\w.])-(?=\d)", MINUS, sentence)


def real_first(table: pl.DataFrame) -> pl.DataFrame:
    """Sort a table by family, field and variant, real fields before nulls."""
    return table.sort("family", "field", pl.col("variant") != "real", "variant", maintain_order=True)


def why_not(table: pl.DataFrame, start: str) -> str:
    """Say why something is missing, by the most frequent reason in a table."""
    reason = commonest(table["reason"]) if "reason" in table.columns else None
    return f"{start}: {reason or 'there is no exponent in the window'}."


def commonest(reasons: pl.Series) -> str | None:
    """Find the most frequent reason."""
    known = reasons.drop_nulls()
    if known.is_empty():
        return None
    return known.value_counts(sort=True).get_column(known.name)[0]


def without_empty_missing(table: pl.DataFrame, column: str = "missing") -> pl.DataFrame:
    """Drop the column of reasons where nothing is missing."""
    return table.drop(column) if column in table.columns and table[column].is_null().all() else table
