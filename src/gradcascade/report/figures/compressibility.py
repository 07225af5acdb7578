"""Compressibility: how well one power law summarises the scales, along training, as a map, and in the plane."""

from __future__ import annotations

import numpy as np
import polars as pl

from gradcascade.report.data import of_group
from gradcascade.report.figures.base import ReportFigure
from gradcascade.report.figures.canvas import Canvas
from gradcascade.report.figures.marks import column, draw_dots, draw_line
from gradcascade.report.figures.quantities import (
    NULL_STYLE,
    QUANTITY_STYLES,
    field_style,
    group_labels,
    no_exponents,
    with_median,
)
from gradcascade.report.figures.style import GRID, plain

CHANNELS = {"D": QUANTITY_STYLES["D - 1"], "z": QUANTITY_STYLES["z"], "delta": QUANTITY_STYLES["delta"]}
CHANNEL_LABELS = {"D": "size (D)", "z": "duration (z)", "delta": "$v_\\mathrm{rel}$ (δ)"}


class CompressibilityOverSteps(ReportFigure):
    """R2 of the one-slope fits against step.

    Columns: family, field, variant, exponent, step, r2 (null where undefined), median (11-step rolling median; null
    where none is drawn); the real fields, and the duration of the null.
    """

    name = "compressibility"
    title = "Compressibility along training"

    def _frame(self) -> pl.DataFrame:
        real = (pl.col("variant") == "real") & pl.col("exponent").is_in(list(CHANNELS))
        null = (pl.col("variant") == self.data.baseline) & (pl.col("exponent") == "z")
        keys = ["family", "field", "variant", "exponent"]
        rows = self.data.fits.filter(real | null).select(*keys, "step", "r2").sort(*keys, "step")
        return with_median(rows, keys, "r2")

    def table(self) -> pl.DataFrame:
        """Arrange R2 with one column per exponent."""
        return self._wide(["family", "field", "variant", "step"], "exponent", "r2", list(CHANNELS))

    def _caption(self) -> str:
        null = f" Grey: the duration of the {self.data.baseline} null." if self.data.baseline else ""
        return (
            "R² of each one-slope fit: how well one power law summarises the scales. Where a slope is near zero, a "
            f"low R² is expected even of clean data.{null}"
        )

    def _missing(self) -> str | None:
        if self.frame()["r2"].is_not_null().any():
            return None
        return no_exponents(self.data) or "No R² is defined for the fields drawn here."

    def _draw(self, canvas: Canvas) -> None:
        data, frame = self.data, self.frame()
        panels = canvas.panels(group_labels(data))
        for axes, group in zip(panels[0], data.groups, strict=True):
            canvas.window(axes, data.windows[group])
            rows = of_group(frame, group)
            draw_line(axes, rows.filter(pl.col("variant") != "real"), "step", "r2", NULL_STYLE)
            for exponent, style in CHANNELS.items():
                real = rows.filter(pl.col("variant") == "real", pl.col("exponent") == exponent)
                draw_line(axes, real, "step", "r2", style)
            axes.set_ylim(-0.02, 1.04)
        canvas.counted(panels[0], "training step")
        canvas.label_rows(panels, ["R² of the fit over scales"])
        for name, style in CHANNELS.items() if "real" in data.variants else []:
            canvas.key(CHANNEL_LABELS[name], **style)
        if data.baseline:
            canvas.key(f"duration of {plain(data.baseline)}", **NULL_STYLE)


class CompressibilityMap(ReportFigure):
    """R2 as the lightness of a map: channels against steps, real fields and the null's below.

    Columns: family, field, variant, exponent, step, r2 (null, and hatched in the map, where undefined).
    """

    name = "compressibility-map"
    title = "Compressibility map"

    def _frame(self) -> pl.DataFrame:
        keys = ["family", "field", "variant", "exponent", "step"]
        drawn = pl.col("variant").is_in(self._drawn) & pl.col("exponent").is_in(list(CHANNELS))
        return self.data.fits.filter(drawn).select(*keys, "r2").sort(keys)

    def table(self) -> pl.DataFrame:
        """Arrange R2 with one column per exponent."""
        return self._wide(["family", "field", "variant", "step"], "exponent", "r2", list(CHANNELS))

    def _caption(self) -> str:
        null = f", and below them of the {self.data.baseline} null" if self.data.baseline else ""
        return (
            f"R² of the one-slope fit of every channel at every step, of the real fields{null}: bright where one "
            "power law summarises the scales, dark where it does not, hatched where R² is undefined."
        )

    def _missing(self) -> str | None:
        if self.frame()["r2"].is_not_null().any():
            return None
        return no_exponents(self.data) or "No R² is defined for the fields drawn here."

    def _draw(self, canvas: Canvas) -> None:
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        data, frame = self.data, self.frame()
        lines = [(variant, exponent) for variant in self._drawn for exponent in CHANNELS]
        panels = canvas.panels(group_labels(data), height=0.3 + 0.19 * len(lines))
        norm = Normalize(0, 1)
        for axes, group in zip(panels[0], data.groups, strict=True):
            rows = of_group(frame, group)
            steps = rows["step"].unique().sort().to_numpy()
            cells = np.full((len(lines), steps.size), np.nan)
            for place, (variant, exponent) in enumerate(lines):
                one = rows.filter(pl.col("variant") == variant, pl.col("exponent") == exponent)
                cells[place, np.searchsorted(steps, one["step"].to_numpy())] = column(one, "r2")
            axes.set_facecolor("#ffffff")
            axes.patch.set(hatch="//////", edgecolor="#b5bcc6", linewidth=0)
            mesh = np.ma.masked_invalid(cells)
            axes.pcolormesh(
                _edges(steps), np.arange(len(lines) + 1) - 0.5, mesh, norm=norm, cmap="cividis", rasterized=True
            )
            axes.set_ylim(len(lines) - 0.5, -0.5)
            axes.grid(visible=False)
            names = [CHANNEL_LABELS[e] + ("" if v == "real" else f", {plain(v)}") for v, e in lines]
            axes.set_yticks(np.arange(len(lines)), names)
            axes.tick_params(axis="y", length=0)
        canvas.counted(panels[0], "training step")
        shades = ScalarMappable(norm, "cividis")
        canvas.colours(panels, shades, "R² of the fit")


class CompressibilityPlane(ReportFigure):
    """R2_z against R2_delta, one point per step of the window.

    Columns: family, field, variant, step, R2_z, R2_delta; steps of the window where both are defined.
    """

    name = "compressibility-plane"
    title = "Compressibility of durations and of transport"

    def _frame(self) -> pl.DataFrame:
        keys = ["family", "field", "variant", "step"]
        fits = self.data.fits.filter(pl.col("variant").is_in(self._drawn))
        z, delta = (
            fits.filter(pl.col("exponent") == name).select(*keys, pl.col("r2").alias(f"R2_{name}"))
            for name in ("z", "delta")
        )
        table = z.join(delta, on=keys).drop_nulls()
        parts = [of_group(table, g).filter(pl.col("step").is_between(*w)) for g, w in self.data.windows.items()]
        return pl.concat([table.clear(), *parts]).sort(keys)

    def _caption(self) -> str:
        null = f" Grey crosses: the {self.data.baseline} null." if self.data.baseline else ""
        return (
            "Each point is one step of the window: how well a power law fits durations (horizontal) and v_rel "
            f"(vertical). Top right: both follow one.{null}"
        )

    def _missing(self) -> str | None:
        if not self.frame().is_empty():
            return None
        return no_exponents(self.data) or "No step of the window has both R² defined."

    def _draw(self, canvas: Canvas) -> None:
        data, frame = self.data, self.frame()
        panels = canvas.panels(group_labels(data), height=2.4)
        for axes, group in zip(panels[0], data.groups, strict=True):
            rows = of_group(frame, group)
            for variant in reversed(self._drawn):
                points = rows.filter(pl.col("variant") == variant)
                style = field_style(group[1]) | {"mec": "white", "mew": 0.4, "ms": 5.0}
                cross = NULL_STYLE | {"marker": "x", "ms": 4.2}
                draw_dots(
                    axes,
                    column(points, "R2_z"),
                    column(points, "R2_delta"),
                    style if variant == "real" else cross,
                )
            axes.set_xlim(-0.03, 1.03)
            axes.set_ylim(-0.03, 1.03)
            axes.grid(axis="x", color=GRID, linewidth=0.6)
            axes.set_xlabel("R² of the duration fit (z)")
        canvas.label_rows(panels, [r"R² of the $v_\mathrm{rel}$ fit (δ)"])
        for _, field in data.groups if "real" in self._drawn else []:
            canvas.key(f"real {plain(field)}s", **field_style(field) | {"linestyle": "none"})
        if data.baseline:
            canvas.key(f"{plain(data.baseline)} null", **NULL_STYLE | {"marker": "x", "linestyle": "none"})


def _edges(steps: np.ndarray) -> np.ndarray:
    """Edges of cells around the steps: half way to each neighbour."""
    if steps.size == 1:
        return np.array([steps[0] - 0.5, steps[0] + 0.5])
    middle = (steps[1:] + steps[:-1]) / 2
    return np.concatenate([[2 * steps[0] - middle[0]], middle, [2 * steps[-1] - middle[-1]]])
