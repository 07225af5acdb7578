"""The ladder from a raw gradient to updates over growing spans, of one or several ways to train the same runs.

A rung is a kind of field, and of updates one for each span. A condition is a way to train (a family: optimizer and
schedule); runs of one scale and seed are matched over the conditions. Here rungs are told apart, ordered and fitted;
what is asked of them is in :mod:`gradcascade.scaling.ladder_questions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from gradcascade.errors import InputError
from gradcascade.fields.kinds import FIELD_KINDS, in_field_order
from gradcascade.scaling.combinations import Trajectory
from gradcascade.scaling.points import Points
from gradcascade.scaling.regression import t_quantile
from gradcascade.scaling.run_errors import coefficient_errors, size_means
from gradcascade.scaling.schemas import numbers, texts, wholes
from gradcascade.scaling.table_checks import require_columns
from gradcascade.scaling.window_means import trajectories, window_differences, window_intervals
from gradcascade.scaling.windows import Range, default_window
from gradcascade.tables.reasons import columns, kept, told
from gradcascade.vocabulary import EXPONENT_CHANNELS, REAL

UPDATE, GRADIENT = "update", "gradient"

RUNG_ORDER = (GRADIENT, "mean-gradient", "momentum", "direction", UPDATE)
"""From raw to accumulated: noise is averaged, then the past, then tensors are rescaled, then steps add up."""

LADDER_SCHEMA = (
    texts("condition", "rung", "field")
    | wholes("span")
    | texts("variant", "duration", "exponent")
    | numbers("value", "se", "low", "high")
    | wholes("n_scales", "n_runs", "n_steps")
    | texts("code", "reason")
)
"""Columns of the ladder; ``variant`` is real, the name of a null, or "real - N0"."""

LEVEL_SCHEMA = (
    texts("condition", "rung", "field")
    | wholes("span")
    | texts("variant", "channel")
    | wholes("n")
    | numbers("value", "low", "high")
    | wholes("n_scales", "n_runs", "n_steps")
    | texts("code", "reason")
)
"""Columns of the levels: geometric means of a channel at the geometric mean of the sizes, ``n``."""


@dataclass(frozen=True)
class Rung:
    """A kind of field, and of updates the optimizer steps that they cover."""

    field: str
    span: int | None = None

    @property
    def name(self) -> str:
        """``gradient``, ``update 10``."""
        return self.field if self.span is None else f"{self.field} {self.span}"

    @property
    def place(self) -> tuple[int, int, str]:
        """Its place on the ladder; kinds that are not on it come last."""
        known = self.field in RUNG_ORDER
        kinds = RUNG_ORDER if known else in_field_order(FIELD_KINDS.names)
        order = kinds.index(self.field) if self.field in kinds else len(kinds)
        return order + (0 if known else len(RUNG_ORDER)), self.span or 0, self.field


@dataclass(frozen=True)
class Ladder:
    """Matched runs: their points, with a rung in the place of the field, and one window for all."""

    points: Points
    conditions: tuple[str, ...]
    rungs: tuple[Rung, ...]
    window: Range
    dropped: tuple[str, ...] = ()
    """Conditions of which nothing real was measured."""

    @classmethod
    def of(cls, cascades: pl.DataFrame, window: Range | None = None, conditions: Sequence[str] = ()) -> Ladder:
        """Read the ladder from a table of cascades: one family per condition, updates of several spans.

        ``conditions`` gives their order, the first being the base that others are set against; those not named follow
        by name. Without a window it is the last two thirds of all steps.

        Raises
        ------
        InputError
            If columns are missing, nothing real was measured, the window holds no measured step, or the table is one
            that no fit takes.
        """
        require_columns(cascades, ("family", "field", "variant", "scale", "step", "n"), "table of cascades")
        real = cascades.filter(pl.col("variant") == REAL)
        if real.is_empty():
            raise InputError("no real field was measured yet, so there is no ladder; measure the runs first")
        spans = pl.col("span") if "span" in cascades.columns else pl.lit(None, dtype=pl.Int64)
        rungs = sorted(
            {Rung(*row) for row in real.select("field", spans.alias("span")).unique().iter_rows()},
            key=lambda rung: rung.place,
        )
        first, last = window or default_window(real.get_column("step"))
        if not real.get_column("step").is_between(first, last).any():
            raise InputError(
                f"the window of steps {first:,} to {last:,} holds no measured step; choose one within "
                f"{real['step'].min():,} to {real['step'].max():,}"
            )
        of_span = pl.format("{} {}", "field", spans)
        named = cascades.with_columns(field=pl.coalesce(of_span, "field")).drop("span", strict=False)
        inside = named.filter(pl.col("step").is_between(first, last))
        there = set(real.get_column("family"))
        order = [*(name for name in conditions if name in there), *sorted(there - set(conditions))]
        return cls(
            Points.of(inside, (first, last)),
            tuple(order),
            tuple(rungs),
            (first, last),
            tuple(name for name in conditions if name not in there),
        )

    def has(self, condition: str, rung: Rung) -> bool:
        """Whether this rung was measured of this condition."""
        return (condition, rung.name) in self.points.windows

    def rungs_of(self, condition: str) -> list[Rung]:
        """The rungs of a condition, in order."""
        return [rung for rung in self.rungs if self.has(condition, rung)]

    @property
    def spans(self) -> list[int]:
        """Spans of the updates, in order."""
        return [rung.span for rung in self.rungs if rung.field == UPDATE and rung.span is not None]

    @cached_property
    def variants(self) -> list[str]:
        """Which nulls were measured, by name."""
        return sorted(set(self.points.rows.get_column("variant")) - {REAL})

    @cached_property
    def timed(self) -> dict[str, Points]:
        """The points by duration: n_steps as published, and where there are profiles the extinction time."""
        found = {"n_steps": self.points}
        if "activity" in self.points.rows.columns:
            found["continuous"] = self.points.continuous
        return found

    def place(self) -> pl.Expr:
        """Place of a row of ``condition, rung`` in the order of every table."""
        rungs = {rung.name: place for place, rung in enumerate(self.rungs)}
        conditions = {name: place for place, name in enumerate(self.conditions)}
        return pl.struct(
            pl.col("condition").replace_strict(conditions, return_dtype=pl.Int64),
            pl.col("rung").replace_strict(rungs, return_dtype=pl.Int64),
        )

    def named(self, table: pl.DataFrame) -> pl.DataFrame:
        """Give a table of ``family, field`` (a rung) the columns ``condition, rung, field, span``."""
        fields, spans = ({rung.name: getattr(rung, name) for rung in self.rungs} for name in ("field", "span"))
        known = table.filter(pl.col("family").is_in(self.conditions), pl.col("field").is_in(list(fields)))
        return known.with_columns(
            condition=pl.col("family"),
            rung=pl.col("field"),
            field=pl.col("field").replace_strict(fields, return_dtype=pl.String),
            span=pl.col("field").replace_strict(spans, return_dtype=pl.Int64),
        )

    def exponents(self) -> pl.DataFrame:
        """Every exponent at every rung across scales, by every duration: real, nulls, and real less each null."""
        tables = []
        for name, points in self.timed.items():
            levels = window_intervals(points, along=False)
            parts = {f"{REAL} - {null}": (REAL, null) for null in self.variants}
            gaps = window_differences(points, parts=parts, along=False) if parts else levels.clear()
            gaps = gaps.rename({"difference": "variant"}) if parts else gaps
            tables.append(pl.concat([levels, gaps]).with_columns(duration=pl.lit(name)))
        ends = {name: pl.col(f"scales_{name}") for name in ("value", "se", "low", "high")}
        table = self.named(pl.concat(tables)).with_columns(
            *columns(kept("scales_")), **ends, n_steps=pl.col("scales_steps")
        )
        return self._sorted(table, LADDER_SCHEMA)

    def levels(self) -> pl.DataFrame:
        """Geometric means of duration, v_rel and s / N at the geometric mean of the sizes, with intervals."""
        rows = [row for each in trajectories(self.points) for row in _levels(each)]
        schema = texts("family", "field") | {
            name: kind for name, kind in LEVEL_SCHEMA.items() if name not in ("condition", "rung", "field", "span")
        }
        return self._sorted(self.named(pl.DataFrame(rows, schema=schema)), LEVEL_SCHEMA)

    def _sorted(self, table: pl.DataFrame, schema: dict[str, Any]) -> pl.DataFrame:
        order = {name: place for place, name in enumerate([REAL, *self.variants])}
        variant = pl.col("variant").replace_strict(order, default=len(order), return_dtype=pl.Int64)
        return table.sort(self.place(), variant, maintain_order=True).select(
            pl.col(name).cast(kind) for name, kind in schema.items()
        )


def trajectory(condition: str, rung: Rung) -> Trajectory:
    """Where the points of a rung of a condition are found."""
    return condition, rung.name


_LEVELS = {"duration": 0.0, "v_rel": 0.0, "size": -1.0}
"""Channels whose level is of interest, and the power of N that it is set beside: s / N."""


def _levels(each: Any) -> list[dict[str, Any]]:
    means = each.means()
    names = each.names | means.counts
    channels = list(EXPONENT_CHANNELS.values())
    if means.no_line:
        return [names | {"channel": channel} | told(means.no_line) for channel in _LEVELS]
    sizes = size_means(means)
    x = sizes.log_n - sizes.log_n.mean()
    se, _ = coefficient_errors(sizes, np.stack([np.ones(x.size), x], axis=1), 0)
    half = t_quantile(x.size - 2) * se
    rows = []
    for channel, power in _LEVELS.items():
        place = channels.index(channel)
        level = sizes.means[place].mean() + power * sizes.log_n.mean()
        ends = {"value": level, "low": level - half[place], "high": level + half[place]}
        n = round(float(np.exp(sizes.log_n.mean())))
        rows.append(names | {"channel": channel, "n": n} | {name: float(np.exp(end)) for name, end in ends.items()})
    return rows
