"""Figures of the XOR lab; each draws exactly the numbers of its frame."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
import polars as pl

from gradcascade.report.drawing.axes import log_both
from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.marks import column, draw_band, draw_dots, draw_line
from gradcascade.report.drawing.style import BLUE, GREY, GUIDE, RULE, VERMILION, scale_styles
from gradcascade.report.labs.figure import LabFigure
from gradcascade.report.labs.xor.findings import MAIN_CHOICE, PLACED, XorFindings
from gradcascade.report.labs.xor.published import D
from gradcascade.scaling.phases import AFTER, ALL, BEFORE

LINE: dict[str, Any] = {"color": BLUE, "marker": "", "linestyle": "-"}
OTHERWISE = {"statistic": ", size as ", "rule": ", transition by ", "variant": ", "}
"""What a row says of a choice that is not the main one."""

PHASE_STYLES: dict[str, dict[str, Any]] = {
    BEFORE: {"color": BLUE, "marker": "o"},
    AFTER: {"color": VERMILION, "marker": "s"},
    ALL: {"color": GREY, "marker": "D"},
}


class XorFigure(LabFigure):
    """A figure of the lab."""

    page = "xor"
    findings: XorFindings


class Along(XorFigure):
    """D(t). Columns: family, step, value, low, high, n_runs."""

    axis: ClassVar[str]
    label: ClassVar[str]

    def _frame(self) -> pl.DataFrame:
        found = self.findings.along.filter(pl.col("axis") == self.axis)
        return found.select("family", "step", "value", "low", "high", "n_runs")

    def _draw(self, canvas: Canvas) -> None:
        families, frame = self.findings.families, self.frame()
        panels = canvas.panels(families)
        for axes, family in zip(panels[0], families, strict=True):
            own = frame.filter(pl.col("family") == family)
            axes.axhline(1, color=RULE, linewidth=0.8, label=GUIDE)
            for phase in (BEFORE, AFTER):
                style = PHASE_STYLES[phase]
                axes.axhline(D[phase].value, color=style["color"], linestyle=":", linewidth=0.9, label=GUIDE)
            draw_band(axes, own, "step", LINE)
            draw_line(axes, own, "step", "value", LINE)
        canvas.label_rows(panels, ("D",))
        canvas.counted(panels[0], self.label)
        canvas.key("D, 95 % over runs", color=BLUE)
        for phase in (BEFORE, AFTER):
            canvas.key(f"published {phase}", color=PHASE_STYLES[phase]["color"], linestyle=":")


class ByEpoch(Along):
    """D(t) by epoch."""

    name = "d-by-epoch"
    title = "D along training"
    axis = "epoch"
    label = "epoch"


class Aligned(Along):
    """D(t) by the distance from the transition."""

    name = "d-aligned"
    title = "D around each run's own transition"
    axis = "aligned"
    label = "epochs after the transition"


class Points(XorFigure):
    """Size over N. Columns: family, scale, n, run, phase, value (geometric mean over the epochs of the phase)."""

    name = "size-against-n"
    title = "What the lines are drawn through"

    def _frame(self) -> pl.DataFrame:
        return self.findings.points

    def _draw(self, canvas: Canvas) -> None:
        families, frame = self.findings.families, self.frame()
        panels = canvas.panels(families)
        for axes, family in zip(panels[0], families, strict=True):
            for phase in (BEFORE, AFTER):
                own = frame.filter(pl.col("family") == family, pl.col("phase") == phase)
                style = PHASE_STYLES[phase]
                draw_dots(axes, column(own, "n"), column(own, "value"), {**style, "markersize": 2.0, "alpha": 0.4})
                mean = own.group_by("n").agg(pl.col("value").log().mean().exp()).sort("n")
                axes.plot(mean["n"], mean["value"], color=style["color"])
            log_both(axes)
            axes.set_xlabel("N")
        canvas.label_rows(panels, ("size / N",))
        for phase in (BEFORE, AFTER):
            canvas.key(phase, color=PHASE_STYLES[phase]["color"])


class Forest(XorFigure):
    """Exponents before and after on one axis. Columns: row, phase, value, low, high, scales_low, scales_high."""

    rows_of: ClassVar[str]

    def _draw(self, canvas: Canvas) -> None:
        frame = self.frame()
        names = frame["row"].unique(maintain_order=True).to_list()
        places = {name: -float(place) for place, name in enumerate(names)}
        axes = canvas.panels([self.title], height=0.5 + 0.26 * len(names))[0, 0]
        axes.axvline(1, color=RULE, linewidth=0.8, label=GUIDE)
        phases = [phase for phase in PHASE_STYLES if phase in set(frame["phase"])]
        for phase in phases:
            if phase in D:
                ends = D[phase].value - D[phase].error, D[phase].value + D[phase].error
                axes.axvspan(*ends, color=PHASE_STYLES[phase]["color"], alpha=0.15, linewidth=0, label=GUIDE)
            own = frame.filter(pl.col("phase") == phase)
            offset = 0.2 * (1 - phases.index(phase)) - 0.1
            alone = set(frame.filter(pl.len().over("row") == 1)["row"])
            level = np.array([places[name] + (0.0 if name in alone else offset) for name in own["row"]])
            colour = PHASE_STYLES[phase]["color"]
            axes.hlines(level, column(own, "scales_low"), column(own, "scales_high"), color=colour, linewidth=0.7)
            axes.hlines(level, column(own, "low"), column(own, "high"), color=colour, linewidth=2.2, alpha=0.7)
            axes.plot(column(own, "value"), level, **PHASE_STYLES[phase], linestyle="none", markersize=4)
            canvas.key(phase, **PHASE_STYLES[phase], markersize=4, linestyle="none")
        canvas.key("95 % over runs", color=GREY, linewidth=2.2, alpha=0.7)
        canvas.key("95 % across widths", color=GREY, linewidth=0.7)
        canvas.key("published \N{PLUS-MINUS SIGN} error", color=GREY, linewidth=6.0, alpha=0.25)
        axes.set_yticks(list(places.values()), names)
        axes.set_ylim(min(places.values()) - 0.6, 0.6)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("D")
        ends = frame.select(pl.col("low", "high", "value").drop_nulls().implode()).row(0)
        known = [value for part in ends for value in part] + [D[BEFORE].value, D[AFTER].value]
        axes.set_xlim(min(known) - 0.15, max(known) + 0.15)

    @abstractmethod
    def _frame(self) -> pl.DataFrame: ...

    def _picked(self, table: pl.DataFrame, row: pl.Expr) -> pl.DataFrame:
        return table.filter(pl.col("method") == "means").select(
            row.alias("row"), "phase", "value", "low", "high", "scales_low", "scales_high"
        )


class Choices(Forest):
    """D before and after, by family and by what the paper leaves open."""

    name = "d-before-and-after"
    title = "D before and after each run's own transition"

    def _frame(self) -> pl.DataFrame:
        found = self.findings.phases.filter(
            pl.col("phase").is_in([BEFORE, AFTER]),
            pl.col("graph") == self.findings.graphs[0],
            ~pl.col("statistic").is_in(["duration", "excess"]),
            pl.col("variant") != PLACED,
        )
        differing = [
            pl.when(pl.col(name) == value).then(pl.lit("")).otherwise(pl.lit(OTHERWISE[name]) + pl.col(name))
            for name, value in MAIN_CHOICE.items()
        ]
        return self._picked(found, pl.concat_str("family", *differing))


class Graphs(Forest):
    """D before, after and of Gaussian fields by kind of graph."""

    name = "d-by-graph"
    title = "D on other kinds of graph"

    def _frame(self) -> pl.DataFrame:
        main = [pl.col(name) == value for name, value in MAIN_CHOICE.items()]
        found = self.findings.phases.filter(pl.col("phase").is_in([BEFORE, AFTER]), *main)
        real = self._picked(found, pl.col("family") + ", " + pl.col("graph"))
        control = self._picked(self.findings.control, pl.lit("Gaussian, ") + pl.col("graph"))
        return pl.concat([real, control])


class Curves(XorFigure):
    """CCDF of sizes. Columns: family, scale, n, value (size), share, scaled (size over N^D of the collapse)."""

    x: ClassVar[str]
    label: ClassVar[str]

    def _frame(self) -> pl.DataFrame:
        return self.findings.curves

    def _missing(self) -> str | None:
        return "Three widths are needed." if self.frame()[self.x].is_nan().all() else None

    def _draw(self, canvas: Canvas) -> None:
        frame, families = self.frame(), self.findings.families
        styles = scale_styles(frame["scale"].unique(maintain_order=True).to_list())
        panels = canvas.panels(families)
        for axes, family in zip(panels[0], families, strict=True):
            for scale, style in styles.items():
                own = frame.filter(pl.col("family") == family, pl.col("scale") == scale)
                axes.plot(column(own, self.x), column(own, "share"), **{**style, "marker": ""}, linewidth=1)
            log_both(axes)
            axes.set_xlabel(self.label)
        canvas.label_rows(panels, ("share at least as large",))
        for scale, style in styles.items():
            canvas.key(scale, color=style["color"], linestyle=style["linestyle"])


class Survival(Curves):
    """CCDF of sizes."""

    name = "size-distribution"
    title = "Distribution of sizes"
    x = "value"
    label = "size"


class Collapse(Curves):
    """CCDF of sizes, collapsed."""

    name = "size-collapse"
    title = "Collapse of the distributions"
    x = "scaled"
    label = "size / N to the D of the collapse"


FIGURES = (ByEpoch, Aligned, Choices, Points, Graphs, Survival, Collapse)
