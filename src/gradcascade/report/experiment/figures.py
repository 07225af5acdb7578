"""The figures of matched runs: the ladder, what was asked of it, and the durations behind it."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from gradcascade.report import words
from gradcascade.report.drawing.axes import log_both, plain_log_ticks
from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.figure import Drawn
from gradcascade.report.drawing.marks import column, draw_dots
from gradcascade.report.drawing.quantities import AXES, NULL_STYLE, QUANTITIES, V_REL
from gradcascade.report.drawing.style import (
    BLUE,
    DASHES,
    GREEN,
    GREY,
    GUIDE,
    INK,
    MARKERS,
    PURPLE,
    RULE,
    SKY,
    VERMILION,
    plain,
    scale_styles,
)
from gradcascade.report.experiment.data import Experiment
from gradcascade.report.experiment.words import question_words
from gradcascade.scaling.ladder import Rung
from gradcascade.scaling.ladder_questions import PRIMARY
from gradcascade.vocabulary import REAL

COLOURS = (BLUE, VERMILION, GREEN, PURPLE, SKY, INK)
PANELS = {
    **AXES,
    "R2": "R² of durations",
    "v_rel": f"{V_REL} at the mean size",
    "S": "S of the profiles' collapse",
}
"""Panels of the ladder with their titles."""


def styles(names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Colour, marker and line of every condition."""
    return {
        name: {
            "color": COLOURS[place % len(COLOURS)],
            "marker": MARKERS[place % len(MARKERS)],
            "linestyle": DASHES[place % len(DASHES)],
        }
        for place, name in enumerate(names)
    }


def short(rung: Rung) -> str:
    """Label of a rung on an axis."""
    return {"mean-gradient": "mean grad."}.get(rung.field, rung.field) if rung.span is None else f"Δ {rung.span:,}"


class ExperimentFigure(Drawn):
    """A figure of matched runs."""

    def __init__(self, experiment: Experiment):
        self.experiment = experiment
        self.ladder = experiment.ladder
        self.styles = styles(self.ladder.conditions)

    def _caption(self) -> str:
        first, last = self.ladder.window
        return words.of_page("experiment")["captions"][self.name].format(first=first, last=last)


class LadderFigure(ExperimentFigure):
    """Exponents, R2, v_rel and S along the ladder, a line per condition.

    Columns: quantity ("D - 1", "z", "delta", "R2", "v_rel", "S"), condition, rung, place (0 for the first rung),
    variant ("real", "N0", "N2", ...), value, and its 95 % interval low, high (null for S): across scales, of R2 over
    seeds.
    """

    name, title = "ladder", "The ladder from gradient to update"

    def _frame(self) -> pl.DataFrame:
        known = self.experiment
        names = {exponent: quantity for quantity, exponent in QUANTITIES.items()}
        shift = pl.when(pl.col("exponent") == "D").then(1.0).otherwise(0.0)
        ends = ("value", "low", "high")
        keys = ("condition", "rung", "variant")
        exponents = known.exponents.filter(
            pl.col("duration") == "n_steps",
            pl.col("exponent").is_in(list(names)),
            pl.col("variant").is_in([REAL, *self.ladder.variants]),
        ).select(*keys, *(pl.col(end) - shift for end in ends), quantity=pl.col("exponent").replace(names))
        r2 = known.r2.filter(pl.col("exponent") == "z").select(*keys, *ends, quantity=pl.lit("R2"))
        v_rel = known.levels.filter(pl.col("channel") == "v_rel").select(*keys, *ends, quantity=pl.lit("v_rel"))
        none = pl.lit(None, dtype=pl.Float64)
        collapse = known.collapse.select(*keys, value="quality", low=none, high=none, quantity=pl.lit("S"))
        places = {rung.name: place for place, rung in enumerate(self.ladder.rungs)}
        rows = pl.concat([exponents, r2, v_rel, collapse]).drop_nulls("value")
        place = pl.col("rung").replace_strict(places, return_dtype=pl.Int64).alias("place")
        return rows.select("quantity", "condition", "rung", place, "variant", *ends)

    def _missing(self) -> str | None:
        return (
            None if self.frame().height else "No exponent could be fitted: a fit needs three scales of different N."
        )

    def _draw(self, canvas: Canvas) -> None:
        frame = self.frame()
        present = [name for name in PANELS if name in set(frame["quantity"])]
        across = 2 if canvas.narrow else 3
        panels = canvas.panels([PANELS[name] for name in present], sharey=False, per_row=across, height=1.6)[0]
        conditions = [name for name in self.ladder.conditions if name in set(frame["condition"])]
        for axes, quantity in zip(panels, present, strict=True):
            rows = frame.filter(pl.col("quantity") == quantity)
            if quantity in QUANTITIES:
                canvas.zero(axes)
            self._noise(canvas, axes, rows)
            for place, condition in enumerate(conditions):
                own = rows.filter(pl.col("condition") == condition).sort("place")
                self._line(canvas, axes, condition, own, 0.12 * (place - (len(conditions) - 1) / 2))
            if quantity in ("v_rel", "S"):
                plain_log_ticks(axes)
            axes.set_xticks(range(len(self.ladder.rungs)), [short(rung) for rung in self.ladder.rungs], rotation=90)
            axes.set_xlim(-0.5, len(self.ladder.rungs) - 0.5)
        canvas.height += 0.42 * -(-len(present) // across)

    def _noise(self, canvas: Canvas, axes: Any, rows: pl.DataFrame) -> None:
        """N0 does not depend on the condition but for its draws: that of the first is drawn."""
        own = rows.filter(pl.col("variant") == "N0", pl.col("condition") == self.ladder.conditions[0]).sort("place")
        if own.height:
            x = column(own, "place")
            if own["low"].is_not_null().any():
                axes.fill_between(x, column(own, "low"), column(own, "high"), color=GREY, alpha=0.18, linewidth=0)
            axes.plot(x, column(own, "value"), **NULL_STYLE)
            canvas.key("N0, normal noise, 95 % band", **NULL_STYLE)

    def _line(self, canvas: Canvas, axes: Any, condition: str, rows: pl.DataFrame, aside: float) -> None:
        style = self.styles[condition]
        real, shuffled = (rows.filter(pl.col("variant") == name) for name in (REAL, "N2"))
        x = column(real, "place") + aside
        axes.plot(x, column(real, "value"), **style, markersize=3.4, linewidth=1.2)
        axes.vlines(x, column(real, "low"), column(real, "high"), color=style["color"], linewidth=1.0)
        canvas.key(plain(self.experiment.label(condition)), **style)
        if shuffled.height:
            hollow = style | {"markerfacecolor": "white", "markersize": 3.4, "mew": 0.8}
            draw_dots(axes, column(shuffled, "place") + aside + 0.12, column(shuffled, "value"), hollow)
            canvas.key(f"{plain(self.experiment.label(condition))}, N2", **hollow | {"linestyle": "none"})


class ContrastsFigure(ExperimentFigure):
    """What was asked: differences of z, delta and R2 with their intervals.

    Columns: question, list ("primary", "rest", "supporting"), exponent ("z", "delta", "R2"), value, low, high,
    p_adjusted, shown (whether it is claimed).
    """

    name, title = "contrasts", "Paired differences"

    def _frame(self) -> pl.DataFrame:
        rows = self.experiment.answers.filter(pl.col("duration") == "n_steps", pl.col("value").is_not_null())
        words = [question_words(self.experiment, row) for row in rows.to_dicts()]
        kept = ("list", "exponent", "value", "low", "high", "p_adjusted", "shown")
        return rows.select(pl.Series("question", words, dtype=pl.String), *kept)

    def _missing(self) -> str | None:
        return (
            None if self.frame().height else "No difference has an interval: it takes runs of three scales or more."
        )

    def _draw(self, canvas: Canvas) -> None:
        frame = self.frame()
        questions = frame["question"].unique(maintain_order=True).to_list()
        places = {question: -float(place) for place, question in enumerate(questions)}
        titles = {"z": AXES["z"], "delta": AXES["delta"], "R2": PANELS["R2"]}
        present = [name for name in titles if name in set(frame["exponent"])]
        tall = 0.3 + 0.17 * len(questions)
        panels = canvas.panels([titles[name] for name in present], height=tall, per_row=1 if canvas.narrow else 3)[0]
        first = set(frame.filter(pl.col("list") == PRIMARY)["question"])
        for axes, exponent in zip(panels, present, strict=True):
            axes.axvline(0.0, color=RULE, linewidth=0.8, label=GUIDE)
            for row in frame.filter(pl.col("exponent") == exponent).to_dicts():
                colour, marker = (VERMILION, "D") if row["question"] in first else (BLUE, "o")
                level = np.array([places[row["question"]]])
                if row["low"] is not None:
                    axes.hlines(level, row["low"], row["high"], color=colour, linewidth=0.9)
                face = colour if row["shown"] else "white"
                axes.plot(row["value"], level, marker=marker, color=colour, markerfacecolor=face, markersize=3.4)
            axes.grid(visible=False, axis="y")
            axes.set_ylim(-len(questions) + 0.3, 0.7)
            axes.set_xlim(*_limits(frame.filter(pl.col("exponent") == exponent)))
            axes.locator_params(axis="x", nbins=4)
            axes.set_yticks(list(places.values()), [plain(name, 90) for name in places], fontsize=5.5)
        line = {"linestyle": "-", "linewidth": 0.9, "markersize": 3.4}
        canvas.key("primary, 95 % interval", color=VERMILION, marker="D", **line)
        canvas.key("further, 95 % interval", color=BLUE, marker="o", **line)
        hollow = {"marker": "o", "markerfacecolor": "white", "linestyle": "none", "markersize": 3.4}
        canvas.key("hollow: no difference is claimed", color=GREY, **hollow)


class DurationsFigure(ExperimentFigure):
    """Durations behind z: the mean over the window of every run, against N.

    Columns: condition, rung, scale, run, n, duration (geometric mean over the window's steps).
    """

    name, title = "durations", "Durations by size"

    def _frame(self) -> pl.DataFrame:
        logs = self.ladder.points.run_logs.filter(pl.col("variant") == REAL)
        means = logs.group_by("family", "field", "scale", "run", "n").agg(
            duration=pl.col("log_duration").mean().exp()
        )
        named = self.ladder.named(means).sort(self.ladder.place(), "n", "run")
        return named.select("condition", "rung", "scale", "run", "n", "duration")

    def _draw(self, canvas: Canvas) -> None:
        frame = self.frame()
        panels = canvas.panels([plain(self.experiment.label(name)) for name in self.ladder.conditions], height=2.2)[0]
        looks = scale_styles([rung.name for rung in self.ladder.rungs])
        for axes, condition in zip(panels, self.ladder.conditions, strict=True):
            for rung in self.ladder.rungs_of(condition):
                own = frame.filter(pl.col("condition") == condition, pl.col("rung") == rung.name)
                look = looks[rung.name]
                draw_dots(axes, column(own, "n"), column(own, "duration"), look | {"markersize": 2.2, "alpha": 0.5})
                means = own.group_by("n").agg(pl.col("duration").log().mean().exp()).sort("n")
                axes.plot(column(means, "n"), column(means, "duration"), **look | {"marker": "", "linewidth": 1.0})
                canvas.key(short(rung), **look | {"markersize": 3.0})
            axes.set_xlabel("entries of the field, N")
            log_both(axes)
        canvas.label_rows(panels[None, :], ["duration (n_steps)"])


def _limits(rows: pl.DataFrame) -> tuple[float, float]:
    """Limits that show zero, every value, and all but the widest tenth of the intervals."""
    widest = rows.select(pl.col("low").quantile(0.05), pl.col("high").quantile(0.95)).row(0)
    known = [0.0, *rows["value"].to_list(), *(end for end in widest if end is not None)]
    low, high = min(known), max(known)
    room = 0.06 * (high - low) or 0.1
    return low - room, high + room
