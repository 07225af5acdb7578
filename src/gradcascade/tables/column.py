"""What several tables have in common, beside the columns of :mod:`gradcascade.vocabulary`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gradcascade.vocabulary import (
    CODE,
    EXPONENT,
    FAMILY,
    FIELD,
    REASON,
    VARIANT,
    Column,
    number,
    polars_schema,
    text,
    whole,
)

if TYPE_CHECKING:
    import polars as pl


class Table(NamedTuple):
    """A table: what a row is, in one sentence, and its columns in order."""

    meaning: str
    columns: tuple[Column, ...]

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Columns with their Polars types."""
        return polars_schema(self.columns)


N_WINDOW = whole("n_steps", "training step", "Number of steps of the window that have the value.")

OF_WINDOW = (FAMILY, FIELD, VARIANT, EXPONENT)
"""Names a window mean: one trajectory, one exponent."""

ALONG = (
    number("mean", "", "Mean over the steps of the window."),
    number("sd", "", "Sample standard deviation over the steps of the window; no standard error."),
    N_WINDOW,
    number(
        "low",
        "",
        "Lower end of the 95 % interval along training: of these very runs, whose steps are correlated; nothing "
        "follows for others.",
    ),
    number("high", "", "Upper end of the 95 % interval along training."),
    CODE,
    REASON,
)
"""A mean along training, with its interval."""

ACROSS = (
    number("scales_value", "", "Slope across scales, each scale one point: the mean of its runs over the window."),
    number("scales_se", "", "Standard error of the slope across scales, for n_scales - 2 degrees of freedom."),
    number("scales_low", "", "Lower end of the 95 % t interval of the slope across scales."),
    number("scales_high", "", "Upper end of the 95 % t interval of the slope across scales."),
    whole("n_scales", "scale", "Number of scales of different N that the slope across scales was fitted to."),
    whole("n_runs", "run", "Number of runs of these scales; scales of one N count as runs of one scale."),
    whole("scales_steps", "training step", "Number of steps of the window that the means of these runs are made of."),
    text(
        "scales_method",
        "What the standard error takes runs for: ordinary (one of each scale, equally noisy), hc3 (one of each, "
        "unequal; at least the ordinary one) or runs (their scatter is measured); missing where there is no slope.",
        True,
    ),
    text("scales_code", "Why there is no slope across scales, as a code; missing where there is one.", True),
    text("scales_reason", "The same in words.", True),
)
"""A slope across scales, with its interval."""
