"""Windows: the stable range of steps of a family, and summaries over it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from gradcascade import families
from gradcascade.errors import InputError
from gradcascade.scaling.channels import channels
from gradcascade.scaling.exponents import EXPONENTS
from gradcascade.scaling.regression import MIN_SCALES
from gradcascade.scaling.tables import FIT_KEYS, require_columns

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
    """Say which window holds for each family and field of a table.

    Parameters
    ----------
    table : polars.DataFrame
        Any table with ``family, field, step``.
    window : tuple, mapping or None
        ``(first_step, last_step)``, both inside, for all; or such a range per ``(family, field)``, where those not
        named get the default; or None: the last two thirds of the steps of each family and field.

    Returns
    -------
    dict
        ``(family, field)`` to ``(first_step, last_step)``, sorted.

    Raises
    ------
    InputError
        If columns are missing, or the window is not two ordered steps.
    """
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
            f"{self.family}, {self.field}s: the window of steps {first:,} to {last:,} holds no measured step; choose "
            f"one within {start:,} to {end:,}"
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
    """Mark the rows of a table whose step lies in the window of their family and field.

    Parameters
    ----------
    table : polars.DataFrame
        Any table with ``family, field, step``.
    window : tuple, mapping or None
        As in :func:`windows`.

    Returns
    -------
    polars.Series
        Boolean, one entry per row.

    Raises
    ------
    InputError
        If columns are missing, or the window is not two ordered steps.
    """
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
    place = {name: place for place, name in enumerate(EXPONENTS)}
    return (
        fits.with_columns(_used=in_window(fits, window))
        .sort("step", maintain_order=True)
        .group_by(*_GROUP, "exponent", maintain_order=True)
        .agg(mean=value.mean(), sd=value.std(), mean_r2=r2.mean(), n_steps=value.count().cast(pl.Int64))
        .sort(*_GROUP, pl.col("exponent").replace_strict(place, default=len(place)))
    )


def summarise_channels(cascades: pl.DataFrame, window: Window = None) -> pl.DataFrame:
    """Mean channels of every scale over a window of steps.

    Parameters
    ----------
    cascades : polars.DataFrame
        As for :func:`gradcascade.scaling.channels.channels`. Cascades left out of the fits are left out here too.
    window : tuple, mapping or None
        As in :func:`windows`.

    Returns
    -------
    polars.DataFrame
        One row per ``family, field, variant, scale``, small scales first: ``n``, ``v_rel`` and ``v_rel_sd`` (mean and
        sample standard deviation over steps; replicates are averaged first), ``duration``, ``size_per_n`` (means) and
        ``n_steps``. With ``n_steps`` 0 the numbers are null.

    Raises
    ------
    InputError
        As :func:`gradcascade.scaling.channels.channels`, or if the window is not two ordered steps.
    """
    return (
        _per_step(cascades, window)
        .group_by(*_GROUP, "scale", "n", maintain_order=True)
        .agg(
            v_rel=pl.col("v_rel").mean(),
            v_rel_sd=pl.col("v_rel").std(),
            duration=pl.col("duration").mean(),
            size_per_n=pl.col("size_per_n").mean(),
            n_steps=pl.col("v_rel").count().cast(pl.Int64),
        )
        .sort(*_GROUP, "n", "scale")
    )


def variation(cascades: pl.DataFrame, window: Window = None) -> pl.DataFrame:
    """Coefficient of variation of v_rel over the scales of a family.

    At each step of the window it is the population standard deviation of v_rel over the scales, divided by their
    mean. (The population form fits the published 50.1 % of Pico-LM: its slope of -0.235 over its four field sizes
    alone gives 51 %, and 59 % with the sample form.)

    Parameters
    ----------
    cascades : polars.DataFrame
        As for :func:`gradcascade.scaling.channels.channels`. Cascades left out of the fits are left out here too.
    window : tuple, mapping or None
        As in :func:`windows`.

    Returns
    -------
    polars.DataFrame
        One row per ``family, field, variant``: ``cv`` and ``cv_sd``, mean and sample standard deviation of the
        coefficient over the steps with at least three scales; ``n_steps``, their number; and ``cv_of_means``, the
        coefficient of the scales' means over the window, in which scatter from step to step is averaged out.

    Raises
    ------
    InputError
        As :func:`gradcascade.scaling.channels.channels`, or if the window is not two ordered steps.
    """
    v_rel = pl.col("v_rel")
    coefficient = pl.when(v_rel.count() >= MIN_SCALES).then(v_rel.std(ddof=0) / v_rel.mean())
    rows = _per_step(cascades, window)
    steps = rows.group_by(*FIT_KEYS, maintain_order=True).agg(cv=coefficient)
    means = rows.group_by(*_GROUP, "scale", maintain_order=True).agg(v_rel=v_rel.mean())
    return (
        steps.group_by(*_GROUP, maintain_order=True)
        .agg(cv=pl.col("cv").mean(), cv_sd=pl.col("cv").std(), n_steps=pl.col("cv").count().cast(pl.Int64))
        .join(means.group_by(*_GROUP).agg(cv_of_means=coefficient), on=_GROUP, how="left")
        .sort(*_GROUP)
        .select(*_GROUP, "cv", "cv_sd", "cv_of_means", "n_steps")
    )


def _per_step(cascades: pl.DataFrame, window: Window) -> pl.DataFrame:
    """Channels per scale and step, replicates averaged; null outside the window and where excluded."""
    rows = channels(cascades)
    rows = rows.with_columns(_used=pl.col("included") & in_window(rows, window))
    return (
        rows.group_by(*FIT_KEYS, "scale", "n")
        .agg(pl.col("v_rel", "duration", "size_per_n").filter("_used").cast(pl.Float64).mean())
        .sort(*FIT_KEYS, "n", "scale")
    )


def _checked(window: Range) -> Range:
    if len(window) != 2 or window[0] > window[1]:
        raise InputError(f"a window is a first and a last step, the first not above the last, got {window}")
    return int(window[0]), int(window[1])
