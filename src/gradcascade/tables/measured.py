"""Descriptions of the tables that hold what was measured, and the exponents fitted to it."""

from __future__ import annotations

from gradcascade.tables.column import N_WINDOW, OF_WINDOW, Table
from gradcascade.vocabulary import (
    CASCADE_COLUMNS,
    DIFFERENCES,
    EXPONENT,
    FAMILY,
    FIELD,
    FIT_COLUMNS,
    METRIC_COLUMNS,
    REFUSAL_COLUMNS,
    STEP,
    TOKENS,
    number,
    whole,
)

CASCADES = Table("One cascade: one field, real or null, relaxed on the graph.", CASCADE_COLUMNS)

METRICS = Table("One external performance number.", METRIC_COLUMNS)

REFUSALS = Table("One snapshot that was not measured.", REFUSAL_COLUMNS)

WINDOWS = Table(
    "The window that holds for one family and field in every table of window means.",
    (
        FAMILY,
        FIELD,
        whole("first", "training step", "First step of the window, inside."),
        whole("last", "training step", "Last step of the window, inside."),
    ),
)

FITS = Table("One exponent at one step: a straight line through the logarithms of the scales.", FIT_COLUMNS)

SUMMARY = Table(
    "One exponent over the window, as published: mean and spread over steps.",
    (
        *OF_WINDOW,
        number("mean", "", "Mean over the steps of the window."),
        number("sd", "", "Sample standard deviation over the steps of the window; no standard error."),
        number("mean_r2", "", "Mean R2 over the steps of the window."),
        N_WINDOW,
    ),
)

DECOMPOSITION = Table(
    "One exponent at one step beside those of the nulls.",
    (
        FAMILY,
        FIELD,
        STEP,
        EXPONENT,
        number("real", "", "Exponent of the real field."),
        number("N0", "", "Exponent of the null N0, independent normal numbers."),
        number("N1", "", "Exponent of the null N1, normal numbers with the field's mean and variance."),
        number("N2", "", "Exponent of the null N2, the field's values in random order."),
        *(
            number(part.name, "", f"{part.minuend.capitalize()} less {part.subtrahend}: {part.description}.")
            for part in DIFFERENCES.values()
        ),
    ),
)


def _beside_steps(table: Table) -> Table:
    """The table with the tokens of every step, which come from plans and family files and not from measuring."""
    place = table.columns.index(STEP) + 1
    return table._replace(columns=(*table.columns[:place], TOKENS, *table.columns[place:]))


MEASURED = {
    "cascades": _beside_steps(CASCADES),
    "metrics": _beside_steps(METRICS),
    "refusals": REFUSALS,
    "windows": WINDOWS,
    "fits": _beside_steps(FITS),
    "summary": SUMMARY,
    "decomposition": DECOMPOSITION,
}
"""By name, in the order of the files."""
