"""Whole profiles on one curve: the activity of all scales against the relaxation step over a power of N."""

from __future__ import annotations

import polars as pl

from gradcascade.report import words
from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.marks import draw_line
from gradcascade.report.drawing.quantities import NO_ACTIVITY, PROFILE_KEYS, group_labels, scale_label
from gradcascade.report.drawing.style import GREY, plain, scale_styles
from gradcascade.report.page_tables import signed
from gradcascade.scaling.profiles import scaled_profiles


class ProfileCollapse(ReportFigure):
    """log A_l / log A_0 against l / N^z (N over that of the smallest scale), averaged over the window.

    Columns: family, field, variant, scale, n, relaxation_step (l, from 0), scaled_step (l over the power of N, at the
    window's mean z of least S), height (log of the mean A_l over log of the mean A_0), z, quality (mean S).
    """

    name = "collapse"
    title = "Whole profiles on one curve"
    order = 125

    def _frame(self) -> pl.DataFrame:
        schema = {"scaled_step": pl.Float64, "height": pl.Float64, "z": pl.Float64, "quality": pl.Float64}
        if "window_collapse" not in self.data.answers:
            kept = {name: self.data.channels.schema[name] for name in PROFILE_KEYS}
            return pl.DataFrame(schema=kept | {"relaxation_step": pl.Int64} | schema)
        found = self.data.answers["window_collapse"].filter(
            pl.col("form") == "duration", pl.col("z_best").is_not_null()
        )
        z = found.select("family", "field", "variant", "quality", z="z_best")
        drawn = self.data.channels.filter(pl.col("included"), pl.col("variant").is_in(self._drawn))
        return scaled_profiles(self._in_windows(drawn), PROFILE_KEYS, z)

    def _caption(self) -> str:
        null = self.data.baseline if len(self._drawn) > 1 else ""
        return words.caption(self.name, null=null)

    def _missing(self) -> str | None:
        if not self.frame().is_empty():
            return None
        known = "activity" in self.data.cascades.columns
        return "No exponent brings the profiles of three scales together in the window." if known else NO_ACTIVITY

    def _draw(self, canvas: Canvas) -> None:
        panels = canvas.panels(group_labels(self.data), rows=len(self._drawn), height=1.7)
        for row, variant in zip(panels, self._drawn, strict=True):
            frame = self.frame().filter(pl.col("variant") == variant)
            for axes, group, rows in self._panels(canvas, row, frame):
                for scale, style in scale_styles(self.data.scales(group[0])).items():
                    own = rows.filter(pl.col("scale") == scale)
                    draw_line(axes, own, "scaled_step", "height", style | {"markersize": 3.2, "linewidth": 0.9})
                    if own.height:
                        canvas.key(scale_label(self.data, group[0], scale), **style)
                if rows.height:
                    told = f"z = {signed(rows['z'][0])}\nS = {rows['quality'][0]:.1f}"
                    axes.text(0.97, 0.94, told, transform=axes.transAxes, ha="right", va="top", color=GREY)
        canvas.counted(panels[-1], r"$l\,/\,(N/N_{\mathrm{min}})^{z}$")
        labels = ["real" if name == "real" else plain(name) for name in self._drawn]
        canvas.label_rows(panels, [rf"{name}: $\log A_l\,/\,\log A_0$" for name in labels])
