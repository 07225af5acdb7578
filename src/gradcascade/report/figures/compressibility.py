"""Compressibility: how well one power law summarises the scales, along training and as a map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from gradcascade.report.data import of_group
from gradcascade.report.figures.base import ReportFigure, column, panel_row
from gradcascade.report.figures.exponents import FIELD_STYLE, OTHER_FIELD, no_exponents
from gradcascade.report.figures.style import (
    BLUE,
    GREY,
    INK,
    VERMILION,
    density,
    legend_below,
    line_key,
    plain,
    shade_window,
    whole_numbers,
    window_key,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHANNELS: dict[str, dict[str, Any]] = {
    "D": {"color": INK, "linestyle": "-", "marker": "o"},
    "z": {"color": VERMILION, "linestyle": (0, (5, 1.5)), "marker": "s"},
    "delta": {"color": BLUE, "linestyle": (0, (1.2, 1)), "marker": "^"},
}
CHANNEL_LABELS = {"D": "size (D)", "z": "duration (z)", "delta": "v_rel (δ)"}


class CompressibilityOverSteps(ReportFigure):
    """R2 of the one-slope fits against step."""

    name = "compressibility"
    title = "Compressibility along training"

    def frame(self) -> pl.DataFrame:
        """Collect R2 of the real fields, and of the null's duration.

        Returns
        -------
        polars.DataFrame
            Columns family, field, variant, exponent, step, r2 (null where undefined).
        """
        real = (pl.col("variant") == "real") & pl.col("exponent").is_in(list(CHANNELS))
        null = (pl.col("variant") == self.data.baseline) & (pl.col("exponent") == "z")
        columns = ["family", "field", "variant", "exponent", "step"]
        return self.data.fits.filter(real | null).select(*columns, "r2").sort(columns)

    def table(self) -> pl.DataFrame:
        """Arrange R2 with one column per exponent.

        Returns
        -------
        polars.DataFrame
            One row per family, field, variant and step.
        """
        keys = ["family", "field", "variant", "step"]
        wide = self.frame().pivot("exponent", index=keys, values="r2")
        return wide.select(*keys, *(name for name in CHANNELS if name in wide.columns)).sort(keys)

    def caption(self) -> str:
        """Say what is drawn.

        Returns
        -------
        str
            Plain text.
        """
        null = f" Grey: the duration of the {self.data.baseline} null." if self.data.baseline else ""
        return (
            "R² of each one-slope fit: how well one power law summarises the scales. Where a slope is near zero, a "
            f"low R² is expected even of clean data.{null}"
        )

    def missing(self) -> str | None:
        """Say why there is nothing to draw.

        Returns
        -------
        str or None
            One sentence, or None.
        """
        if self.frame()["r2"].is_not_null().any():
            return None
        return no_exponents(self.data) or "No R² is defined for the fields drawn here."

    def _draw(self, figure: Figure) -> None:
        data, frame = self.data, self.frame()
        panels = panel_row(figure, data, data.groups)
        for axes, group in zip(panels, data.groups, strict=True):
            shade_window(axes, data.windows[group])
            rows = of_group(frame, group)
            null = rows.filter(pl.col("variant") != "real")
            axes.plot(null["step"], column(null, "r2"), color=GREY, linewidth=0.9, alpha=0.7)
            for exponent, style in CHANNELS.items():
                line = rows.filter(pl.col("variant") == "real", pl.col("exponent") == exponent)
                axes.plot(line["step"], column(line, "r2"), **(density(line.height) | style))
            axes.set_ylim(-0.02, 1.04)
            whole_numbers(axes, "training step")
        for axes in panels[::2]:
            axes.set_ylabel("R² of the fit over scales")
        keys = [
            (line_key(**style), CHANNEL_LABELS[name].replace("v_rel", r"$v_\mathrm{rel}$"))
            for name, style in CHANNELS.items()
        ]
        if data.baseline:
            keys.append((line_key(color=GREY, linewidth=0.9, alpha=0.7), f"duration of {plain(data.baseline)}"))
        legend_below(figure, [*keys, (window_key(), "window")], columns=5)


class CompressibilityMap(ReportFigure):
    """The map of R2_z against R2_delta, one point per step."""

    name = "compressibility-map"
    title = "Compressibility map"

    def frame(self) -> pl.DataFrame:
        """Pair the two R2 of each window step.

        Returns
        -------
        polars.DataFrame
            Columns family, field, variant, step, R2_z, R2_delta; steps of the window where both are defined.
        """
        keys = ["family", "field", "variant", "step"]
        drawn = ["real", self.data.baseline or "real"]
        fits = self.data.fits.filter(pl.col("variant").is_in(drawn))
        pair = [
            fits.filter(pl.col("exponent") == name).select(*keys, pl.col("r2").alias(f"R2_{name}"))
            for name in ("z", "delta")
        ]
        table = pair[0].join(pair[1], on=keys).drop_nulls()
        parts = [of_group(table, g).filter(pl.col("step").is_between(*w)) for g, w in self.data.windows.items()]
        return pl.concat([table.clear(), *parts]).sort(keys)

    def caption(self) -> str:
        """Say what is drawn.

        Returns
        -------
        str
            Plain text.
        """
        return (
            "Each point is one step of the window: how well a power law fits durations (horizontal) and v_rel "
            "(vertical). Top right: both follow one. Grey crosses: the null."
        )

    def missing(self) -> str | None:
        """Say why there is nothing to draw.

        Returns
        -------
        str or None
            One sentence, or None.
        """
        if not self.frame().is_empty():
            return None
        return no_exponents(self.data) or "No step of the window has both R² defined."

    def _draw(self, figure: Figure) -> None:
        data, frame = self.data, self.frame()
        panels = panel_row(figure, data, data.groups)
        for axes, group in zip(panels, data.groups, strict=True):
            rows = of_group(frame, group)
            style = FIELD_STYLE.get(group[1], OTHER_FIELD)
            null = rows.filter(pl.col("variant") == data.baseline)
            axes.plot(null["R2_z"], null["R2_delta"], "x", color=GREY, markersize=4.5, alpha=0.8)
            real = rows.filter(pl.col("variant") == "real")
            axes.plot(real["R2_z"], real["R2_delta"], linestyle="none", **style, mec="white", mew=0.4, ms=5.2)
            axes.set_xlim(-0.03, 1.03)
            axes.set_ylim(-0.03, 1.03)
            axes.grid(color="#e3e6ea", linewidth=0.6)
            axes.set_xlabel("R² of the duration fit (z)")
        for axes in panels[::2]:
            axes.set_ylabel(r"R² of the $v_\mathrm{rel}$ fit (δ)")
        fields = dict.fromkeys(field for _, field in data.groups)
        keys = [
            (line_key(**FIELD_STYLE.get(field, OTHER_FIELD), linestyle="none"), f"real {plain(field)}s")
            for field in fields
        ]
        if data.baseline:
            keys.append((line_key(color=GREY, marker="x", linestyle="none"), f"{plain(data.baseline)} null"))
        legend_below(figure, keys)
