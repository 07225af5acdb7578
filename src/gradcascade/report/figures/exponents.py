"""The fitted exponents along training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from gradcascade.report.data import ReportData, of_group
from gradcascade.report.figures.base import ReportFigure, column, panel_grid
from gradcascade.report.figures.style import (
    BLUE,
    GREEN,
    GREY,
    VERMILION,
    cover,
    density,
    legend_below,
    line_key,
    plain,
    shade_window,
    whole_numbers,
    window_key,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIELD_STYLE: dict[str, dict[str, Any]] = {
    "gradient": {"color": BLUE, "marker": "o"},
    "update": {"color": VERMILION, "marker": "s"},
}
OTHER_FIELD: dict[str, Any] = {"color": GREEN, "marker": "D"}
QUANTITIES = {"D - 1": "D", "z": "z", "delta": "delta"}
SYMBOLS = {"D - 1": "D \N{MINUS SIGN} 1  (size)", "z": "z  (duration)", "delta": "δ  (v_rel)"}


def no_exponents(data: ReportData) -> str | None:
    """Say why no exponent could be fitted at all.

    Parameters
    ----------
    data : ReportData
        The report.

    Returns
    -------
    str or None
        One sentence, or None if there are exponents.
    """
    if data.fits["value"].is_not_null().any():
        return None
    most = max((len(data.scales(family)) for family in data.families), default=0)
    why = (
        f"a fit needs at least 3 scales and this study has {most}"
        if most < 3
        else "fewer than 3 scales are left at every step (the reasons are listed below)"
    )
    return f"No exponent could be fitted: {why}."


class ExponentsOverSteps(ReportFigure):
    """D - 1, z and delta against step with 95 % intervals, real and null."""

    name = "exponents"
    title = "Exponents along training"

    def frame(self) -> pl.DataFrame:
        """Collect the exponents drawn.

        Returns
        -------
        polars.DataFrame
            Columns family, field, variant, quantity ("D - 1", "z", "delta"), step, value, se, low, high, n_scales;
            value to high are null where no exponent could be fitted.
        """
        drawn = ["real", self.data.baseline or "real"]
        fits = self.data.fits.filter(pl.col("variant").is_in(drawn), pl.col("exponent").is_in(QUANTITIES.values()))
        shift = pl.when(pl.col("exponent") == "D").then(1.0).otherwise(0.0)
        names = {exponent: quantity for quantity, exponent in QUANTITIES.items()}
        return fits.select(
            "family",
            "field",
            "variant",
            pl.col("exponent").replace(names).alias("quantity"),
            "step",
            *(pl.col(name) - shift for name in ("value",)),
            "se",
            *(pl.col(name) - shift for name in ("low", "high")),
            "n_scales",
        ).sort("family", "field", "variant", "quantity", "step")

    def table(self) -> pl.DataFrame:
        """Arrange values and intervals with one column per quantity.

        Returns
        -------
        polars.DataFrame
            One row per family, field, variant and step.
        """
        keys = ["family", "field", "variant", "step", "n_scales"]
        wide = self.frame().pivot("quantity", index=keys, values=["value", "low", "high"])
        order = [
            f"{part}_{q}" for q in QUANTITIES for part in ("value", "low", "high") if f"{part}_{q}" in wide.columns
        ]
        names = {f"value_{q}": q for q in QUANTITIES}
        names |= {f"{part}_{q}": f"{q} {part}" for q in QUANTITIES for part in ("low", "high")}
        shown = wide.select(*keys, *order).sort("family", "field", "variant", "step")
        return shown.rename({old: new for old, new in names.items() if old in order})

    def caption(self) -> str:
        """Say what is drawn.

        Returns
        -------
        str
            Plain text.
        """
        null = f", and the {self.data.baseline} null dashed with its own band" if self.data.baseline else ""
        return (
            "Slopes of the logarithm of size (minus one), duration and v_rel against log N, fitted at each step over "
            f"the scales, with 95 % t intervals as bands{null}. With few scales an interval is wide, and the "
            "widest are cut at the panel's edge. The horizontal line is zero: no dependence on scale."
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
        return no_exponents(self.data) or "No exponent could be fitted for the fields drawn here."

    def _draw(self, figure: Figure) -> None:
        data, frame = self.data, self.frame()
        grid = panel_grid(figure, data, rows=len(QUANTITIES))
        for axes_row, quantity in zip(grid, QUANTITIES, strict=True):
            for axes, group in zip(axes_row, data.groups, strict=True):
                shade_window(axes, data.windows[group])
                axes.axhline(0, color="#8a93a0", linewidth=0.8)
                rows = of_group(frame, group).filter(pl.col("quantity") == quantity)
                style = FIELD_STYLE.get(group[1], OTHER_FIELD)
                null = rows.filter(pl.col("variant") == data.baseline)
                _line_with_band(axes, null, {"color": GREY, "linestyle": (0, (4, 1.5)), "linewidth": 1.0}, 0.16)
                _line_with_band(axes, rows.filter(pl.col("variant") == "real"), style, 0.2)
            everything = frame.filter(pl.col("quantity") == quantity)
            cover(axes_row[0], *(column(everything, name) for name in ("value", "low", "high")))
            axes_row[0].set_ylabel(SYMBOLS[quantity].replace("v_rel", r"$v_\mathrm{rel}$"))
        for axes in grid[-1]:
            whole_numbers(axes, "training step")
        fields = dict.fromkeys(field for _, field in data.groups)
        keys = [
            (line_key(**FIELD_STYLE.get(field, OTHER_FIELD)), f"real {plain(field)}s, 95 % band") for field in fields
        ]
        if data.baseline:
            keys.append((line_key(color=GREY, linestyle=(0, (4, 1.5))), f"{plain(data.baseline)} null, 95 % band"))
        legend_below(figure, [*keys, (window_key(), "window")])


def _line_with_band(axes: Axes, rows: pl.DataFrame, style: dict[str, Any], alpha: float) -> None:
    values, low, high = (column(rows, name) for name in ("value", "low", "high"))
    axes.fill_between(rows["step"], low, high, color=style["color"], alpha=alpha, linewidth=0)
    axes.plot(rows["step"], values, **(density(rows.height) | style))
