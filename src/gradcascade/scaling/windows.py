"""Windows: the stable range of steps of a family, and the published summary over it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from gradcascade import families
from gradcascade.errors import InputError
from gradcascade.fields.kinds import field_plural
from gradcascade.scaling.fits import exponent_place
from gradcascade.scaling.table_checks import FIT_KEYS, require_columns

Range = tuple[int, int]
"""First and last step of a window, both inside."""

Window = Range | Mapping[tuple[str, str], Range] | None
"""One range for all, a range per (family, field), or None for the default of each."""

_GROUP = ("family", "field", "variant")


def default_window(steps: Iterable[int]) -> Range:
    """Find the last two thirds of the steps.

    Parameters
    ----------
    steps : iterable of int
        Training steps in any order; repeated ones count once.

    Returns
    -------
    tuple of int
        First and last step of the window, both inside. The first third is rounded down.

    Raises
    ------
    InputError
        If there is no step.
    """
    distinct = sorted({int(step) for step in steps})
    if not distinct:
        raise InputError("there is no step to put a window on; measure some snapshots first")
    return distinct[len(distinct) // 3], distinct[-1]


def windows(table: pl.DataFrame, window: Window = None) -> dict[tuple[str, str], Range]:
    """Say which window holds for each family and field of a table; a mapping gives those not named the default."""
    require_columns(table, ("family", "field", "step"), "table")
    found: dict[tuple[str, str], Range] = {}
    steps = table.group_by("family", "field").agg(pl.col("step").unique()).sort("family", "field")
    for family, field, known in steps.iter_rows():
        given = window.get((family, field)) if isinstance(window, Mapping) else window
        found[family, field] = default_window(known) if given is None else _checked(given)
    return found


@dataclass(frozen=True)
class EmptyWindow:
    """A family and field of which no step was measured in its window, and the steps that were."""

    family: str
    field: str
    window: Range
    measured: Range

    @property
    def sentence(self) -> str:
        """What is wrong and what to do, for a reader."""
        (first, last), (start, end) = self.window, self.measured
        return (
            f"{self.family}, {field_plural(self.field)}: the window of steps {first:,} to {last:,} holds no measured "
            f"step; choose one within {start:,} to {end:,}"
        )


def empty_windows(table: pl.DataFrame, window: Window = None) -> list[EmptyWindow]:
    """The families and fields of a table whose window holds none of their own steps."""
    found = []
    for (family, field), span in windows(table, window).items():
        steps = table.filter(pl.col("family") == family, pl.col("field") == field)["step"]
        if not steps.is_between(*span).any():
            found.append(EmptyWindow(family, field, span, tuple(map(int, (steps.min(), steps.max())))))  # pyright: ignore[reportArgumentType]
    return found


def published_windows(table: pl.DataFrame) -> dict[tuple[str, str], Range]:
    """The window of every (family, field) of a table whose family has the name of a published one, and no others."""
    require_columns(table, ("family", "field"), "table")
    groups = table.select("family", "field").unique().sort("family", "field").iter_rows()
    known = {name: preset.window for name, (preset, _) in families.presets().items() if preset.window}
    return {(family, field): known[family] for family, field in groups if family in known}


def in_window(table: pl.DataFrame, window: Window = None) -> pl.Series:
    """Mark the rows of a table whose step lies in the window of their family and field."""
    ranges = [(family, field, *ends) for (family, field), ends in windows(table, window).items()]
    kind = table.schema["step"]
    schema = {name: table.schema[name] for name in ("family", "field")} | {"_first": kind, "_last": kind}
    ends = pl.DataFrame(ranges, schema=schema, orient="row")
    rows = table.select("family", "field", "step").with_row_index("_row")
    rows = rows.join(ends, on=["family", "field"], how="left").sort("_row")
    return rows.select(inside=pl.col("step").is_between("_first", "_last")).get_column("inside")


def summarise(fits: pl.DataFrame, window: Window = None) -> pl.DataFrame:
    """Mean and standard deviation of every exponent over a window of steps, never smoothed.

    Parameters
    ----------
    fits : polars.DataFrame
        From :func:`gradcascade.scaling.exponents.fit_exponents`.
    window : tuple, mapping or None
        As in :func:`windows`.

    Returns
    -------
    polars.DataFrame
        One row per ``family, field, variant, exponent``: ``mean``, ``sd`` (sample standard deviation over steps; null
        for a single step), ``mean_r2`` (over the steps that have an R2) and ``n_steps``, the number of steps in the
        window that have the exponent. With ``n_steps`` 0 the numbers are null, and the table of fits says why.

    Raises
    ------
    InputError
        If columns are missing, or the window is not two ordered steps.
    """
    require_columns(fits, (*FIT_KEYS, "exponent", "value", "r2"), "table of fits")
    value, r2 = (pl.col(name).filter("_used") for name in ("value", "r2"))
    return (
        fits.with_columns(_used=in_window(fits, window))
        .sort("step", maintain_order=True)
        .group_by(*_GROUP, "exponent", maintain_order=True)
        .agg(mean=value.mean(), sd=value.std(), mean_r2=r2.mean(), n_steps=value.count().cast(pl.Int64))
        .sort(*_GROUP, exponent_place())
    )


def _checked(window: Range) -> Range:
    if not isinstance(window, (tuple, list)):  # whose words may be long: a table, say
        raise InputError(f"a window is a first and a last step, or a mapping of them, got a {type(window).__name__}")
    if len(window) != 2 or window[0] > window[1]:
        raise InputError(f"a window is a first and a last step, the first not above the last, got {window}")
    return int(window[0]), int(window[1])
