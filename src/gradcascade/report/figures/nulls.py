"""The nulls: each beside the real fields, the split of the difference, and the thirds of the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from gradcascade.report.data import Group, of_group
from gradcascade.report.figures.base import ReportFigure
from gradcascade.report.figures.canvas import Canvas
from gradcascade.report.figures.marks import column, draw_dots, draw_line
from gradcascade.report.figures.quantities import (
    AXES,
    NULL_STYLE,
    PART_LABELS,
    PART_STYLES,
    QUANTITIES,
    VARIANT_STYLES,
    group_labels,
    no_exponents,
    quantity_rows,
    with_median,
)
from gradcascade.report.figures.style import plain
from gradcascade.scaling.tertiles import TERTILES, summarise_tertiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROWS = {"D": "ΔD", "z": "Δz", "delta": "Δδ"}
HATCHES = {"total": "", "dist": "//////", "assign": "xxxx"}


class NullBaselines(ReportFigure):
    """D - 1, z and delta of the real fields and of every null against step.

    Columns: family, field, variant, quantity ("D - 1", "z", "delta"), step, value, median (11-step rolling median;
    null where none is drawn).
    """

    name = "null-baselines"
    title = "Null baselines"

    def _frame(self) -> pl.DataFrame:
        keys = ["family", "field", "variant", "quantity"]
        fits = self.data.fits.filter(pl.col("variant").is_in(self._variants))
        rows = quantity_rows(fits).select(*keys, "step", "value").sort(*keys, "step")
        return with_median(rows, keys, "value")

    def table(self) -> pl.DataFrame:
        """Arrange the exponents with one column per variant."""
        return self._wide(["family", "field", "quantity", "step"], "variant", "value", self._variants)

    @property
    def _variants(self) -> list[str]:
        return self.data.variants[: len(VARIANT_STYLES) - 1]

    def _caption(self) -> str:
        return (
            "The exponents of the real fields beside those of their nulls: N0 is normal noise, N1 normal noise with "
            "the field's mean and variance, N2 the field's own values at random places."
        )

    def _missing(self) -> str | None:
        if not self.data.baseline:
            return "No null was measured, so there is no baseline to draw."
        if self.frame()["value"].is_not_null().any():
            return None
        return no_exponents(self.data) or "No exponent could be fitted for the fields drawn here."

    def _draw(self, canvas: Canvas) -> None:
        data, frame = self.data, self.frame()
        styles = dict(zip(self._variants, VARIANT_STYLES["real" not in self._variants :], strict=False))
        panels = canvas.panels(group_labels(data), rows=len(QUANTITIES))
        for row, quantity in zip(panels, QUANTITIES, strict=True):
            for axes, group in zip(row, data.groups, strict=True):
                canvas.window(axes, data.windows[group])
                canvas.zero(axes)
                rows = of_group(frame, group).filter(pl.col("quantity") == quantity)
                for variant, style in reversed(styles.items()):
                    draw_line(axes, rows.filter(pl.col("variant") == variant), "step", "value", style)
        canvas.counted(panels[-1], "training step")
        canvas.label_rows(panels, [AXES[quantity] for quantity in QUANTITIES])
        for variant, style in styles.items():
            canvas.key(plain(variant), **style)


class NullDecomposition(ReportFigure):
    """Total, distribution and assignment part of each exponent's difference to the null.

    Columns: family, field, exponent, part, step, value, sd, median. Rows with a null step are the window's mean with
    its SD; all others are single steps, with the 11-step rolling median where one is drawn.
    """

    name = "nulls"
    title = "What the nulls explain"

    def _frame(self) -> pl.DataFrame:
        keys = ["family", "field", "exponent", "part"]
        steps = _parts(self.data.decomposition.filter(pl.col("exponent").is_in(list(ROWS))))
        parts = [self._window_means(of_group(steps, group), group) for group in self.data.groups]
        steps = with_median(steps.sort(*keys, "step"), keys, "value").with_columns(sd=pl.lit(None, pl.Float64))
        order = [*keys, "step", "value", "sd"]
        means = [part.with_columns(median=pl.lit(None, pl.Float64)).select(*order, "median") for part in parts]
        return pl.concat([steps.select(*order, "median"), *means]).sort(order[:5], nulls_last=True)

    def table(self) -> pl.DataFrame:
        """Arrange the differences per step with one column per part."""
        keys = ["family", "field", "exponent", "step"]
        return self._wide(keys, "part", "value", list(PART_STYLES)).filter(pl.col("step").is_not_null())

    def _caption(self) -> str:
        return (
            "How far each exponent is from that of plain normal noise (total), split exactly into what the values' "
            "distribution explains (the same values at random places, minus noise) and what their assignment to "
            "places adds. The bars at the end are means over the window; whiskers are SD over its steps, a "
            "spread and not a standard error."
        )

    def _missing(self) -> str | None:
        if self.frame()["value"].is_not_null().any():
            return None
        if self.data.fits["value"].is_null().all():
            return "There is no exponent to compare with a null."
        absent = [name for name in ("real", "N0") if name not in self.data.variants]
        if absent:
            names = " and ".join("real" if name == "real" else f"{name} null" for name in absent)
            return f"No {names} fields were measured, so there is no difference to split."
        return "At no step do the real fields and their nulls both have exponents."

    def _draw(self, canvas: Canvas) -> None:
        data, frame = self.data, self.frame()
        panels = canvas.panels([*group_labels(data), "window mean ± SD"], rows=len(ROWS), last_wide=True)
        for row, exponent in zip(panels, ROWS, strict=True):
            everything = frame.filter(pl.col("exponent") == exponent)
            for axes, group in zip(row[:-1], data.groups, strict=True):
                canvas.window(axes, data.windows[group])
                canvas.zero(axes)
                rows = of_group(everything, group).filter(pl.col("step").is_not_null())
                for part, style in PART_STYLES.items():
                    draw_line(axes, rows.filter(pl.col("part") == part), "step", "value", style)
            self._draw_bars(canvas, row[-1], everything.filter(pl.col("step").is_null()))
        canvas.counted(panels[-1, :-1], "training step")
        canvas.label_rows(panels, list(ROWS.values()))
        present = set(frame.drop_nulls("value")["part"])
        for part, style in PART_STYLES.items():
            if part in present:
                canvas.key(PART_LABELS[part], **style)

    def _window_means(self, steps: pl.DataFrame, group: Group) -> pl.DataFrame:
        """Take the parts over the steps where all three are known, or what there is where N2 was not measured."""
        inside = steps.filter(pl.col("step").is_between(*self.data.windows[group]))
        keys = ["family", "field", "exponent", "part"]
        alone = inside.group_by(keys).agg(value=pl.col("value").mean(), sd=pl.col("value").std())
        known = of_group(self.data.decomposition_summary, group).filter(
            pl.col("n_steps") > 0, pl.col("exponent").is_in(list(ROWS))
        )
        means = known.unpivot(list(PART_STYLES), index=keys[:3], variable_name="part", value_name="value")
        spreads = known.unpivot(
            [f"{p}_sd" for p in PART_STYLES], index=keys[:3], variable_name="part", value_name="sd"
        )
        spreads = spreads.with_columns(pl.col("part").str.strip_suffix("_sd"))
        split = means.join(spreads, on=keys, how="left").select(alone.columns)
        rest = alone.join(split, on=keys[:3], how="anti")
        both = pl.concat([split, rest]).with_columns(step=pl.lit(None, pl.Int64))
        return both.select(*keys, "step", "value", "sd")

    def _draw_bars(self, canvas: Canvas, axes: Axes, rows: pl.DataFrame) -> None:
        canvas.zero(axes)
        groups = self.data.groups
        for j, (part, style) in enumerate(PART_STYLES.items()):
            bars = [of_group(rows, group).filter(pl.col("part") == part) for group in groups]
            place = np.array([i + (j - 1) * 0.27 for i, bar in enumerate(bars) if bar["value"].is_not_null().any()])
            known = pl.concat([rows.clear(), *bars]).drop_nulls("value")
            height, sd = column(known, "value"), column(known, "sd")
            face = style["color"] if part == "total" else "white"
            axes.bar(
                place,
                height,
                width=0.25,
                facecolor=face,
                edgecolor=style["color"],
                hatch=HATCHES[part],
                linewidth=0.8,
            )
            there = np.isfinite(sd)
            ends = place[there], (height - sd)[there], (height + sd)[there]
            axes.vlines(*ends, color="#5b6573", linewidth=1.0)
        names = [label.replace(": ", ":\n") for label in group_labels(self.data)]
        axes.set_xticks(np.arange(len(groups)), names)
        axes.set_xlim(-0.6, len(groups) - 0.4)


class Tertiles(ReportFigure):
    """Each exponent and its null differences in the early, middle and late third of the window.

    Columns: family, field, quantity ("D - 1", "z", "delta"), series ("real", "null", "total", "dist", "assign"),
    tertile, mean, sd (null for a single step), first_step, last_step, n_steps.
    """

    name = "tertiles"
    title = "Early, middle and late in the window"

    def _frame(self) -> pl.DataFrame:
        names = {"real": "real", self.data.baseline: "null"}
        columns = ["family", "field", "step", "quantity", "series", "value"]
        fits = quantity_rows(self.data.fits.filter(pl.col("variant").is_in(self._drawn)))
        values = fits.with_columns(series=pl.col("variant").replace(names)).select(columns)
        split = _parts(self.data.decomposition.filter(pl.col("exponent").is_in(list(ROWS))))
        quantity = {exponent: quantity for quantity, exponent in QUANTITIES.items()}
        split = split.with_columns(quantity=pl.col("exponent").replace(quantity), series="part").select(columns)
        return summarise_tertiles(pl.concat([values, split]), ["quantity", "series"], self.data.windows)

    def _caption(self) -> str:
        return (
            "Means in the early, middle and late third of the window's steps, with the SD over the steps of each "
            "third as whiskers: the exponents of the real fields"
            + (f" and of the {self.data.baseline} null" if self.data.baseline else "")
            + ", and their difference in total and in its two parts. What is stable stays level."
        )

    def _missing(self) -> str | None:
        if not self.frame().is_empty():
            return None
        return no_exponents(self.data) or "No window has three steps with exponents, so there are no thirds of it."

    def _draw(self, canvas: Canvas) -> None:
        data, frame = self.data, self.frame()
        styles = {
            "real": {"color": "#10151d", "marker": "o", "markerfacecolor": "white", "markersize": 4.5},
            "null": NULL_STYLE | {"marker": "x", "markersize": 4.5},
            **PART_STYLES,
        }
        panels = canvas.panels(group_labels(data), rows=len(QUANTITIES))
        thirds = {name: place for place, name in enumerate(TERTILES)}
        for row, quantity in zip(panels, QUANTITIES, strict=True):
            for axes, group in zip(row, data.groups, strict=True):
                canvas.zero(axes)
                rows = of_group(frame, group).filter(pl.col("quantity") == quantity)
                for place, (series, style) in enumerate(styles.items()):
                    one = rows.filter(pl.col("series") == series)
                    third = one["tertile"].replace_strict(thirds, return_dtype=pl.Float64).to_numpy()
                    x = third + (place - 2) * 0.15
                    draw_dots(axes, x, column(one, "mean"), style, column(one, "sd"))
                axes.set_xticks(range(len(TERTILES)), TERTILES)
                axes.set_xlim(-0.5, len(TERTILES) - 0.5)
        canvas.label_rows(panels, ["D \N{MINUS SIGN} 1 and ΔD", "z and Δz", "δ and Δδ"])
        labels = {"real": "real", "null": f"{plain(data.baseline)} null"} | PART_LABELS
        present = set(frame["series"])
        for series, style in styles.items():
            if series in present:
                canvas.key(labels[series], **style | {"linestyle": "none"})


def _parts(decomposition: pl.DataFrame) -> pl.DataFrame:
    """The null differences per step: family, field, exponent, step, part, value."""
    keys = ["family", "field", "exponent", "step"]
    return decomposition.unpivot(list(PART_STYLES), index=keys, variable_name="part", value_name="value")
