"""Figures of the lab of modular addition; each draws exactly the numbers of its frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.marks import column, draw_band, draw_line
from gradcascade.report.drawing.style import (
    BLUE,
    DASHED,
    DOTTED,
    GREEN,
    GREY,
    GUIDE,
    PURPLE,
    RULE,
    SOLID,
    VERMILION,
    scale_styles,
)
from gradcascade.report.labs.figure import LabFigure
from gradcascade.report.labs.modular.findings import (
    ACCURACY,
    HALF,
    LESS,
    NEAR,
    RISE,
    START,
    TRANSITION,
    ModularFindings,
)
from gradcascade.report.labs.modular.published import D
from gradcascade.scaling.phases import AFTER, BEFORE, METHODS

SHOWN = 8
"""The accuracies are drawn from so many times the near window before the transition."""

COLOURS = (BLUE, VERMILION, GREEN, GREY, PURPLE)
PHASE_STYLES: dict[str, dict[str, Any]] = {
    BEFORE: {"color": BLUE, "marker": "o"},
    AFTER: {"color": VERMILION, "marker": "s"},
}


class ModularFigure(LabFigure):
    """A figure of the lab."""

    page = "modular"
    findings: ModularFindings

    def styles(self) -> dict[str, dict[str, Any]]:
        """Colour and line of every series, and of the difference to it."""
        known = self.findings.families
        looks = {
            name: {
                "color": COLOURS[place % len(COLOURS)],
                "linestyle": SOLID if place == 0 else DASHED if name in known else DOTTED,
                "marker": "",
            }
            for place, name in enumerate(self.findings.series)
        }
        return looks | {f"{self.findings.grokking}{LESS}{name}": look for name, look in looks.items()}


class AccuraciesFigure(ModularFigure):
    """Accuracies of the runs that grok, about the transition of each.

    Columns: scale, run, step, aligned, metric, value.
    """

    name, title = "accuracies", "Accuracies about each run's transition"

    def _frame(self) -> pl.DataFrame:
        return self.findings.accuracies.filter(pl.col("aligned") >= -SHOWN * self.findings.near)

    def _missing(self) -> str | None:
        return "No run passed the transition." if self.frame().is_empty() else None

    def _draw(self, canvas: Canvas) -> None:
        frame = self.frame()
        [[axes]] = canvas.panels([self.title], height=2.2)
        sizes = self.findings.runs.sort("n")["scale"].unique(maintain_order=True).to_list()
        for scale, style in scale_styles(sizes).items():
            for (metric, _), rows in frame.filter(pl.col("scale") == scale).group_by("metric", "run"):
                line = SOLID if metric == ACCURACY else DOTTED
                look = {"color": style["color"], "marker": "", "linestyle": line, "linewidth": 0.8}
                draw_line(axes, rows.sort("step"), "aligned", "value", look)
            canvas.key(scale, color=style["color"], marker="", linestyle=SOLID)
        canvas.key("training pairs", color=GREY, marker="", linestyle=DOTTED)
        axes.axvline(0, color=RULE, linewidth=0.8, label=GUIDE)
        canvas.counted(np.array([axes]), "steps from the transition")
        axes.set_ylabel("accuracy")


class AlongFigure(ModularFigure):
    """D about the transition, and about the rise of the test accuracy.

    Columns: about ("start", "transition", "rise"), series, step (from there, of each run), value, low, high (95 %,
    over runs), n_runs.
    """

    name, title = "along", "D about the transition"
    axis, level = "D", 1.0

    def _frame(self) -> pl.DataFrame:
        return self._of(list(self.findings.series))

    def _of(self, names: list[str]) -> pl.DataFrame:
        """Rows of these series, where there are several seeds only those at which every width has two runs."""
        rows = self.findings.along.filter(pl.col("series").is_in(names))
        known = rows.drop_nulls("low")
        return known if known.height else rows

    def _draw(self, canvas: Canvas) -> None:
        frame = self.frame()
        titles = {
            START: "from the first step",
            TRANSITION: f"from {self.findings.threshold:.0%} of the test",
            RISE: f"from {HALF:.0%} of the test",
        }
        panels = canvas.panels(list(titles.values()), height=2.4, per_row=1 if canvas.narrow else 3)
        for axes, about in zip(panels[0], titles, strict=True):
            axes.axhline(self.level, color=RULE, linewidth=0.8, label=GUIDE)
            axes.axvline(0, color=RULE, linewidth=0.8, label=GUIDE)
            rows = frame.filter(pl.col("about") == about)
            if about != START:
                self._guide(canvas, axes, rows)
            for name, style in self.styles().items():
                own = rows.filter(pl.col("series") == name)
                if own.height:
                    draw_band(axes, own, "step", style)
                    draw_line(axes, own, "step", "value", style)
                    canvas.key(name, **style)
        canvas.counted(panels[0], "steps")
        canvas.label_rows(panels, [self.axis])

    def _guide(self, canvas: Canvas, axes: Any, rows: pl.DataFrame) -> None:
        if rows.height:
            for value, ends in ((D[BEFORE], (rows["step"].min(), 0)), (D[AFTER], (0, rows["step"].max()))):
                axes.plot(ends, (value, value), color=GREY, linestyle=DASHED, linewidth=0.9)
            canvas.key("published", color=GREY, linestyle=DASHED, linewidth=0.9)


class DifferencesFigure(AlongFigure):
    """D of the runs that grok less that of each control and null, about the transition and the rise.

    Columns: those of AlongFigure.
    """

    name, title = "differences", "D less that of controls and nulls"
    axis, level = "difference of D", 0.0

    def _frame(self) -> pl.DataFrame:
        return self._of(list(self.findings.differences))

    def _guide(self, canvas: Canvas, axes: Any, rows: pl.DataFrame) -> None:
        return


class PhasesFigure(ModularFigure):
    """D before and after the transition, beside what was published.

    Columns: label, series, method, window, phase, value, low, high (95 %, over runs).
    """

    name, title = "phases", "D before and after"

    def _frame(self) -> pl.DataFrame:
        first = pl.col("series") == self.findings.grokking
        rows = self.findings.phases.filter(
            pl.col("exponent") == "D",
            pl.col("phase").is_in([BEFORE, AFTER]),
            pl.col("series").is_in(list(self.findings.series)),
            first | (pl.col("method") == METHODS[0]) & pl.col("window").is_in([NEAR, RISE]),
        )
        label = pl.format("{}, {}, {}", "series", "window", "method").alias("label")
        return rows.select(label, "series", "method", "window", "phase", "value", "low", "high")

    def _draw(self, canvas: Canvas) -> None:
        frame = self.frame()
        labels = frame["label"].unique(maintain_order=True).to_list()
        [[axes]] = canvas.panels([self.title], height=0.6 + 0.2 * len(labels))
        axes.axvline(1.0, color=RULE, linewidth=0.8, label=GUIDE)
        for phase, style in PHASE_STYLES.items():
            dots = style | {"linestyle": "none", "markersize": 3.8}
            axes.plot([D[phase]], [0.0], **dots | {"markerfacecolor": "white"})
            aside = 0.14 if phase == BEFORE else -0.14
            rows = frame.filter(pl.col("phase") == phase)
            places = np.array([-1.0 - labels.index(label) for label in rows["label"]]) + aside
            axes.hlines(places, column(rows, "low"), column(rows, "high"), color=style["color"], linewidth=1.0)
            axes.plot(column(rows, "value"), places, **dots)
            canvas.key(phase, **dots)
        axes.grid(visible=False, axis="y")
        axes.set_yticks([0.0, *(-1.0 - place for place in range(len(labels)))], ["published", *labels], fontsize=5.5)
        axes.set_ylim(-len(labels) - 0.6, 0.6)
        axes.set_xlabel("D")


FIGURES = (AlongFigure, DifferencesFigure, PhasesFigure, AccuraciesFigure)
