"""The exponents of all fields on one axis: a dot and its 95 % interval in each row, drawn without a script."""

from dataclasses import dataclass

import polars as pl

from gradcascade.fields.kinds import field_plural
from gradcascade.report.answers.base import interval, label
from gradcascade.report.data import ReportData
from gradcascade.report.page_tables import signed
from gradcascade.scaling.published import published_exponents
from gradcascade.vocabulary import SYMBOLS

SHOWN = ("z", "delta")
WORDS = {
    "z": "z: do cascades last longer in larger models?",
    "delta": "δ: does transport per entry change with scale?",
}
LONGEST = 4.0


@dataclass(frozen=True)
class Row:
    """One exponent: places in percent of the axis; an interval that leaves the axis is cut."""

    label: str
    kind: str
    at: float
    left: float
    width: float
    cut: bool
    text: str
    spoken: str


@dataclass(frozen=True)
class Panel:
    """The rows of one exponent on a common axis, with the place of zero and the ends of the axis in words."""

    title: str
    rows: tuple[Row, ...]
    zero: float
    ends: tuple[str, str]


def panels(data: ReportData) -> list[Panel]:
    """Arrange z and delta of real fields, of the null, and of the publication, with intervals across scales."""
    if data.cascades.is_empty():
        return []
    known = data.answers["intervals"].filter(
        pl.col("scales_low").is_not_null(), pl.col("variant").is_in(["real", data.baseline or "real"])
    )
    return [_panel(data, known, name) for name in SHOWN if known["exponent"].eq(name).any()]


def _panel(data: ReportData, known: pl.DataFrame, exponent: str) -> Panel:
    order = pl.col("variant") != "real"
    rows = known.filter(pl.col("exponent") == exponent).sort("family", "field", order, maintain_order=True).to_dicts()
    there = published_exponents().filter(pl.col("variant") == "real", pl.col("quantity") == exponent)
    published = {row[:2]: row[2] for row in there.select("family", "field", "value").iter_rows()}
    values = [row["scales_value"] for row in rows] + [0.0]
    values += [published[key] for row in rows if (key := (row["family"], row["field"])) in published]
    reach = LONGEST * max(max(abs(value) for value in values), 0.05)
    low = max(min([row["scales_low"] for row in rows] + values), -reach)
    high = min(max([row["scales_high"] for row in rows] + values), reach)
    room = 0.04 * (high - low) or 0.05
    low, high = low - room, high + room

    def place(value: float) -> float:
        return round(100 * (min(max(value, low), high) - low) / (high - low), 2)

    made = []
    for row in rows:
        real, ends, text = (
            row["variant"] == "real",
            (row["scales_low"], row["scales_high"]),
            signed(row["scales_value"]),
        )
        name = label(data, row) if real else f"{row['variant']}, {field_plural(row['field'])}"
        spoken = f"{name}: {SYMBOLS[exponent]} = {text}, 95 % interval {interval(*ends)}"
        (left, right), cut = map(place, ends), ends[0] < low or ends[1] > high
        at, width = place(row["scales_value"]), round(right - left, 2)
        made.append(Row(name, "real" if real else "null", at, left, width, cut, text, spoken))
        value = published.get((row["family"], row["field"])) if real else None
        if value is not None:
            at = place(value)
            text = signed(value)
            made.append(Row("published", "published", at, at, 0.0, False, text, f"published: {text}"))
    return Panel(WORDS[exponent], tuple(made), place(0.0), (signed(low, 2), signed(high, 2)))
