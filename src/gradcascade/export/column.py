"""A column of an exported table: its name, type, unit and meaning."""

from __future__ import annotations

from typing import NamedTuple

TYPES = ("string", "integer", "number", "boolean", "integers")
"""Types of columns: text, whole numbers of 64 bits, double precision, true or false, and lists of whole numbers."""


class Column(NamedTuple):
    """One column.

    Attributes
    ----------
    name : str
        Its name in every format.
    type : str
        One of :data:`TYPES`.
    unit : str
        What a value of 1 is one of; empty for text and for pure numbers.
    meaning : str
        One sentence.
    nullable : bool
        Whether values can be missing.
    """

    name: str
    type: str
    unit: str
    meaning: str
    nullable: bool = False


class Table(NamedTuple):
    """One table.

    Attributes
    ----------
    meaning : str
        One sentence: what a row is.
    columns : tuple of Column
        In order.
    """

    meaning: str
    columns: tuple[Column, ...]


def text(name: str, meaning: str, nullable: bool = False) -> Column:
    """Describe a column of text."""
    return Column(name, "string", "", meaning, nullable)


def whole(name: str, unit: str, meaning: str, nullable: bool = False) -> Column:
    """Describe a column of whole numbers."""
    return Column(name, "integer", unit, meaning, nullable)


def number(name: str, unit: str, meaning: str, nullable: bool = True) -> Column:
    """Describe a column of numbers, by default such as can be missing."""
    return Column(name, "number", unit, meaning, nullable)


def flag(name: str, meaning: str, nullable: bool = False) -> Column:
    """Describe a column of truth values."""
    return Column(name, "boolean", "", meaning, nullable)


FAMILY = text("family", "Name of the family of models.")
SCALE = text("scale", "Name of the model size within its family.")
FIELD = text("field", "Kind of the field: gradient or update.")
VARIANT = text("variant", "Which field was measured: real, or the name of the null that was drawn of it.")
STEP = whole("step", "training step", "Training step that labels the field.")
EXPONENT = text("exponent", "Which exponent the row is about: D, z, beta or delta.")
N_SCALES = whole("n_scales", "scale", "Number of scales that entered the fit.")
N_WINDOW = whole("n_steps", "training step", "Number of steps of the window that have the value.")
REASON = text("reason", "Why numbers of this row are missing, in words; missing itself where none is.", True)

OF_STEP = (FAMILY, FIELD, VARIANT, STEP, EXPONENT)
"""Names a fit: one trajectory, one step, one exponent."""

OF_WINDOW = (FAMILY, FIELD, VARIANT, EXPONENT)
"""Names a window mean: one trajectory, one exponent."""

ALONG = (
    number("mean", "", "Mean over the steps of the window."),
    number("sd", "", "Sample standard deviation over the steps of the window; no standard error."),
    N_WINDOW,
    number("se", "", "Standard error of the mean by the moving-block bootstrap."),
    whole("block", "training step", "Length of the bootstrap's blocks, in measured steps.", True),
    number(
        "low", "", "Lower end of the 95 % interval of the mean along training, which allows for correlated steps."
    ),
    number("high", "", "Upper end of the 95 % interval of the mean along training."),
    REASON,
)
"""A mean along training, with its errors."""

ACROSS = (
    number("scales_value", "", "Slope across scales, each scale one point averaged over the window."),
    number("scales_se", "", "Standard error of the slope across scales."),
    number("scales_low", "", "Lower end of the 95 % t interval of the slope across scales."),
    number("scales_high", "", "Upper end of the 95 % t interval of the slope across scales."),
    whole("n_scales", "scale", "Number of scales the slope across scales was fitted to."),
    whole("scales_steps", "training step", "Number of steps of the window at which all of these scales are there."),
    text("scales_reason", "Why there is no slope across scales, in words; missing where there is one.", True),
)
"""A slope across scales, with its interval."""

FITTED = (
    number("value", "", "The exponent: slope of the channel's logarithm on log N."),
    number("se", "", "Standard error of the exponent."),
    number("low", "", "Lower end of the 95 % t interval, with two degrees of freedom fewer than scales."),
    number("high", "", "Upper end of the 95 % t interval."),
)
"""An exponent with its interval."""
