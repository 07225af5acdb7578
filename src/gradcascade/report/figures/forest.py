"""The forest plot: every family, kind of field, run, null and published value on one axis for each exponent."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.marks import column
from gradcascade.report.drawing.quantities import AXES, NULL_STYLE, QUANTITIES, field_style, group_label
from gradcascade.report.drawing.style import GREY, GUIDE, INK, RULE, plain
from gradcascade.scaling.durations import DURATIONS
from gradcascade.scaling.published import published_exponents

COLUMNS = ("family", "field", "row", "variant", "run", "quantity", "duration", "value", "low", "high")
MARKS: dict[str, dict[str, Any]] = {
    "n_steps": {"marker": "o"},
    "continuous": {"marker": "s", "markerfacecolor": "white"},
    "profile": {"marker": "D", "markersize": 3.0, "markerfacecolor": "white"},
}
WORDS = {"n_steps": "n_steps", "continuous": "extinction time", "profile": "whole profile"}
APART = 0.27
"""Rows that the marks of the durations of one row lie apart."""


class Forest(ReportFigure):
    """Every exponent over the window with its 95 % interval across scales, by every duration.

    Columns: family, field, row ("field": the real field; "run": the runs of one label alone; "null"; "published"),
    variant, run, quantity ("D - 1", "z", "delta"), duration ("n_steps", "continuous", "profile"; D has only the
    first), value, low, high (of a published value, its SD over steps to both sides; null where it gives none).
    """

    name = "forest"
    title = "All exponents at a glance"
    order = 25
    needs = ("value", "No exponent has an interval across scales.")

    def _frame(self) -> pl.DataFrame:
        answers = self.data.answers
        parts = [
            self._rows(answers[name] if name in answers else _plain(answers["intervals"]), row)
            for name, row in (("duration_intervals", "field"), ("run_intervals", "run"))
            if name in answers or row == "field"
        ]
        rows = pl.concat([*parts, self._published()]).drop_nulls("value")
        places = {group: place for place, group in enumerate(self.data.groups)}
        order = {"field": 0, "published": 1, "run": 2, "null": 3}
        return rows.sort(
            pl.struct("family", "field").map_elements(lambda g: places[g["family"], g["field"]], pl.Int64),
            pl.col("row").replace_strict(order, return_dtype=pl.Int64),
            pl.col("variant") != "real",
            "variant",
            "run",
            maintain_order=True,
        )

    def _rows(self, found: pl.DataFrame, row: str) -> pl.DataFrame:
        names = {exponent: name for name, exponent in QUANTITIES.items()}
        kept = found.filter(
            pl.col("exponent").is_in(list(names)), (pl.col("exponent") != "D") | (pl.col("duration") == DURATIONS[0])
        )
        shift = pl.when(pl.col("exponent") == "D").then(1.0).otherwise(0.0)
        variant = pl.col("variant") if "variant" in kept.columns else pl.lit("real")
        return kept.select(
            "family",
            "field",
            row=pl.when(variant == "real").then(pl.lit(row)).otherwise(pl.lit("null")),
            variant=variant,
            run=pl.col("run") if "run" in kept.columns else pl.lit(None, pl.String),
            quantity=pl.col("exponent").replace(names),
            duration=pl.col("duration"),
            value=pl.col("scales_value") - shift,
            low=pl.col("scales_low") - shift,
            high=pl.col("scales_high") - shift,
        )

    def _published(self) -> pl.DataFrame:
        names = {exponent: name for name, exponent in QUANTITIES.items()}
        known = published_exponents().filter(pl.col("quantity").is_in(list(names)))
        groups = pl.DataFrame(self.data.groups, schema={"family": pl.String, "field": pl.String}, orient="row")
        known = known.filter(~pl.col("variant").str.contains("-", literal=True))
        shift = pl.when(pl.col("quantity") == "D").then(1.0).otherwise(0.0)
        return known.join(groups, on=["family", "field"], how="semi").select(
            "family",
            "field",
            row=pl.lit("published"),
            variant="variant",
            run=pl.lit(None, pl.String),
            quantity=pl.col("quantity").replace(names),
            duration=pl.lit(DURATIONS[0]),
            value=pl.col("value") - shift,
            low=pl.col("value") - shift - pl.col("sd"),
            high=pl.col("value") - shift + pl.col("sd"),
        )

    def _draw(self, canvas: Canvas) -> None:
        frame = self.frame()
        keys = ["family", "field", "row", "variant", "run"]
        lines = frame.select(keys).unique(maintain_order=True).rows()
        places, place, before = {}, 0.0, None
        for key in lines:
            place -= 1.0 if before in (None, key[:2]) else 1.6  # a gap between kinds of field
            places[key], before = place, key[:2]
        present = [name for name in QUANTITIES if name in set(frame["quantity"])]
        tall = 0.3 + 0.22 * -place
        panels = canvas.panels([AXES[name] for name in present], height=tall, per_row=1 if canvas.narrow else 3)
        for axes, quantity in zip(panels[0], present, strict=True):
            axes.axvline(0.0, color=RULE, linewidth=0.8, label=GUIDE)
            rows = frame.filter(pl.col("quantity") == quantity)
            for key, height in places.items():
                own = rows.filter(pl.col(name).eq_missing(pl.lit(part)) for name, part in zip(keys, key, strict=True))
                for one in own.partition_by("duration", maintain_order=True):
                    duration = one["duration"][0]
                    offset = 0.0 if own.height == 1 else APART * (1 - DURATIONS.index(duration))
                    style = self._style(key, duration)
                    level = np.array([height + offset])
                    if one["low"][0] is not None:
                        axes.hlines(level, one["low"], one["high"], color=style["color"], linewidth=0.9)
                    axes.plot(column(one, "value"), level, **style)
            axes.grid(visible=False, axis="y")
            axes.set_ylim(place - 0.7, -0.3)
            axes.set_xlim(*_limits(rows))
            axes.locator_params(axis="x", nbins=4)
        for axes in panels[0] if canvas.narrow else panels[0][:1]:
            axes.tick_params(labelleft=True)
        for axes in panels[0]:
            axes.set_yticks(list(places.values()), [self._label(key) for key in places])
        self._keys(canvas, frame)

    def _style(self, key: tuple[Any, ...], duration: str) -> dict[str, Any]:
        _, field, row, variant, _ = key
        style = {"markersize": 3.6, "linestyle": "none"} | MARKS[duration]
        if row == "published":
            return style | {"color": INK, "marker": "x", "markersize": 4.5}
        colour = field_style(field)["color"] if variant == "real" else NULL_STYLE["color"]
        return style | {"color": colour, "alpha": 0.75 if row == "run" else 1.0}

    def _label(self, key: tuple[Any, ...]) -> str:
        family, field, row, variant, run = key
        if row == "field":
            return group_label(self.data, (family, field))
        if row == "run":
            return f"run {plain(run, 12)}"
        return (
            f"published{'' if variant == 'real' else f', {plain(variant)}'}" if row == "published" else plain(variant)
        )

    def _keys(self, canvas: Canvas, frame: pl.DataFrame) -> None:
        for duration in DURATIONS:
            if duration in set(frame["duration"]):
                style = {"markersize": 3.6} | MARKS[duration]
                canvas.key(f"by {WORDS[duration]}, 95 % across scales", color=GREY, linewidth=0.9, **style)
        if "published" in set(frame["row"]):
            canvas.key("published ± SD over steps", color=INK, marker="x", linewidth=0.9)


def _plain(intervals: pl.DataFrame) -> pl.DataFrame:
    """Intervals of a table without activity: by n_steps alone."""
    return intervals.with_columns(duration=pl.lit(DURATIONS[0]))


def _limits(rows: pl.DataFrame) -> tuple[float, float]:
    """Limits that show zero, every value, and all but the widest tenth of the intervals but those of single runs."""
    widest = rows.filter(pl.col("row") != "run").select(pl.col("low").quantile(0.05), pl.col("high").quantile(0.95))
    known = [0.0, *rows["value"].to_list(), *(end for end in widest.row(0) if end is not None)]
    low, high = min(known), max(known)
    room = 0.06 * (high - low) or 0.1
    return low - room, high + room
