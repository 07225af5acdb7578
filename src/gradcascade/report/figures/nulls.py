"""The differences to the nulls, split into what the values do and what their places do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from gradcascade.report.data import Group, of_group
from gradcascade.report.figures.base import ReportFigure, column, group_label, panel_grid
from gradcascade.report.figures.style import (
    BLUE,
    INK,
    VERMILION,
    density,
    legend_below,
    line_key,
    shade_window,
    whole_numbers,
    window_key,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROWS = {"D": "ΔD", "z": "Δz", "delta": "Δδ"}
PARTS: dict[str, dict[str, Any]] = {
    "total": {"color": INK, "linestyle": "-", "marker": "o"},
    "dist": {"color": BLUE, "linestyle": (0, (5, 1.5)), "marker": "s"},
    "assign": {"color": VERMILION, "linestyle": (0, (1.2, 1)), "marker": "^"},
}
PART_LABELS = {
    "total": "total (real \N{MINUS SIGN} N0)",
    "dist": "distribution (N2 \N{MINUS SIGN} N0)",
    "assign": "assignment (real \N{MINUS SIGN} N2)",
}
HATCHES = {"total": "", "dist": "////", "assign": "\\\\\\\\"}


class NullDecomposition(ReportFigure):
    """Total, distribution and assignment part of each exponent's difference to the null."""

    name = "nulls"
    title = "What the nulls explain"

    def frame(self) -> pl.DataFrame:
        """Collect the differences drawn, per step and over the window.

        Returns
        -------
        polars.DataFrame
            Columns family, field, exponent, part, step, value, sd. Rows with a null step are the window's mean
            with its SD; all others are single steps.
        """
        keys = ["family", "field", "exponent"]
        split = self.data.decomposition.filter(pl.col("exponent").is_in(list(ROWS)))
        steps = split.unpivot(list(PARTS), index=[*keys, "step"], variable_name="part", value_name="value")
        steps = steps.with_columns(sd=pl.lit(None, pl.Float64))
        parts = [self._window_means(of_group(steps, group), group) for group in self.data.groups]
        order = ["family", "field", "exponent", "part", "step", "value", "sd"]
        return pl.concat([steps.select(order), *parts]).sort(order[:5], nulls_last=True)

    def table(self) -> pl.DataFrame:
        """Arrange the differences per step with one column per part.

        Returns
        -------
        polars.DataFrame
            One row per family, field, exponent and step.
        """
        keys = ["family", "field", "exponent", "step"]
        return self.frame().filter(pl.col("step").is_not_null()).pivot("part", index=keys, values="value").sort(keys)

    def caption(self) -> str:
        """Say what is drawn.

        Returns
        -------
        str
            Plain text.
        """
        return (
            "How far each exponent is from that of plain normal noise (total), split exactly into what the values' "
            "distribution explains (the same values at random places, minus noise) and what their assignment to "
            "places adds. The bars at the right are means over the window; whiskers are SD over its steps, a "
            "spread and not a standard error."
        )

    def missing(self) -> str | None:
        """Say why there is nothing to draw.

        Returns
        -------
        str or None
            One sentence, or None.
        """
        if self.frame()["value"].is_not_null().any():
            return None
        if self.data.fits["value"].is_null().all():
            return "There is no exponent to compare with a null."
        absent = [name for name in ("real", "N0") if name not in self.data.variants]
        if absent:
            names = " and ".join("real" if name == "real" else f"{name} null" for name in absent)
            return f"No {names} fields were measured, so there is no difference to split."
        return "At no step do the real fields and their nulls both have exponents."

    def _draw(self, figure: Figure) -> None:
        data, frame = self.data, self.frame()
        grid = panel_grid(figure, data, rows=len(ROWS), extra=1)
        for axes_row, (exponent, label) in zip(grid, ROWS.items(), strict=True):
            for axes, group in zip(axes_row, data.groups, strict=False):
                shade_window(axes, data.windows[group])
                axes.axhline(0, color="#8a93a0", linewidth=0.8)
                rows = of_group(frame, group).filter(pl.col("exponent") == exponent, pl.col("step").is_not_null())
                for part, style in PARTS.items():
                    line = rows.filter(pl.col("part") == part)
                    axes.plot(line["step"], column(line, "value"), **(density(line.height) | style))
            self._draw_bars(axes_row[-1], frame.filter(pl.col("exponent") == exponent, pl.col("step").is_null()))
            axes_row[0].set_ylabel(label)
        for axes in grid[-1, :-1]:
            whole_numbers(axes, "training step")
        grid[0, -1].set_title("window mean ± SD")
        keys = [(line_key(**style), PART_LABELS[part]) for part, style in PARTS.items()]
        legend_below(figure, [*keys, (window_key(), "window")])

    def _window_means(self, steps: pl.DataFrame, group: Group) -> pl.DataFrame:
        """Take the parts over the steps where all three are known, or what there is where N2 was not measured."""
        inside = steps.filter(pl.col("step").is_between(*self.data.windows[group]))
        keys = ["family", "field", "exponent", "part"]
        alone = inside.group_by(keys).agg(value=pl.col("value").mean(), sd=pl.col("value").std())
        known = of_group(self.data.decomposition_summary, group).filter(
            pl.col("n_steps") > 0, pl.col("exponent").is_in(list(ROWS))
        )
        means = known.unpivot(list(PARTS), index=keys[:3], variable_name="part", value_name="value")
        spreads = known.unpivot([f"{p}_sd" for p in PARTS], index=keys[:3], variable_name="part", value_name="sd")
        spreads = spreads.with_columns(pl.col("part").str.strip_suffix("_sd"))
        split = means.join(spreads, on=keys, how="left").select(alone.columns)
        rest = alone.join(split, on=keys[:3], how="anti")
        both = pl.concat([split, rest]).with_columns(step=pl.lit(None, pl.Int64))
        return both.select("family", "field", "exponent", "part", "step", "value", "sd")

    def _draw_bars(self, axes: Axes, rows: pl.DataFrame) -> None:
        axes.axhline(0, color="#8a93a0", linewidth=0.8)
        groups = self.data.groups
        for i, group in enumerate(groups):
            for j, (part, style) in enumerate(PARTS.items()):
                bar = of_group(rows, group).filter(pl.col("part") == part)
                if bar.is_empty() or bar["value"][0] is None:
                    continue
                place, height, spread = i + (j - 1) * 0.26, bar["value"][0], bar["sd"][0]
                paint = (
                    {"color": style["color"]}
                    if part == "total"
                    else {"facecolor": "white", "edgecolor": style["color"], "hatch": HATCHES[part], "linewidth": 0.9}
                )
                axes.bar(place, height, width=0.23, **paint)
                if spread is not None:
                    axes.errorbar(place, height, yerr=spread, color="#5b6573", linewidth=1, capsize=2.2)
        labels = [group_label(self.data, group).replace(": ", ":\n") for group in groups]
        axes.set_xticks(np.arange(len(groups)), labels)
        axes.set_xlim(-0.6, len(groups) - 0.4)
