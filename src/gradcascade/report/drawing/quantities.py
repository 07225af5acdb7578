"""What several figures draw in the same way: exponents, fields, nulls, parts of a difference, scales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from gradcascade.fields.kinds import field_plural
from gradcascade.report.data import Group, ReportData
from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.marks import draw_line
from gradcascade.report.drawing.style import (
    BLUE,
    DASH_DOT,
    DASHED,
    DOTTED,
    GREEN,
    GREY,
    INK,
    SKY,
    SOLID,
    VERMILION,
    plain,
    scale_styles,
)
from gradcascade.vocabulary import DIFFERENCES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUANTITIES = {"D - 1": "D", "z": "z", "delta": "delta"}
SYMBOLS = {"D - 1": "D \N{MINUS SIGN} 1", "z": "z", "delta": "δ"}
AXES = {"D - 1": "D \N{MINUS SIGN} 1  (size)", "z": "z  (duration)", "delta": "δ  ($v_\\mathrm{rel}$)"}

QUANTITY_STYLES: dict[str, dict[str, Any]] = {
    "D - 1": {"color": INK, "linestyle": SOLID, "marker": "o"},
    "z": {"color": GREEN, "linestyle": DASHED, "marker": "s"},
    "delta": {"color": SKY, "linestyle": DOTTED, "marker": "^"},
}
CHANNEL_STYLES = {exponent: QUANTITY_STYLES[quantity] for quantity, exponent in QUANTITIES.items()}
CHANNEL_LABELS = {"D": "size (D)", "z": "duration (z)", "delta": "$v_\\mathrm{rel}$ (δ)"}
FIELD_STYLES: dict[str, dict[str, Any]] = {
    "gradient": {"color": BLUE, "marker": "o", "linestyle": SOLID},
    "update": {"color": VERMILION, "marker": "s", "linestyle": DASH_DOT},
}
OTHER_FIELD: dict[str, Any] = {"color": GREEN, "marker": "D", "linestyle": DASHED}
NULL_STYLE: dict[str, Any] = {"color": "#8c8c8c", "linestyle": DASHED, "linewidth": 1.0, "marker": ""}

PART_STYLES: dict[str, dict[str, Any]] = {
    "total": {"color": INK, "linestyle": SOLID, "marker": "o"},
    "dist": {"color": BLUE, "linestyle": DASHED, "marker": "s"},
    "assign": {"color": VERMILION, "linestyle": DOTTED, "marker": "^"},
}
PART_LABELS = {
    name: f"{part.label} ({part.minuend} \N{MINUS SIGN} {part.subtrahend})" for name, part in DIFFERENCES.items()
}


V_REL = r"$v_\mathrm{rel}$"
NO_METRIC = "No external metric (such as held-out perplexity) came with this study."
PROFILE_KEYS = ["family", "field", "variant", "scale", "n"]
NO_ACTIVITY = "The table of cascades has no column activity, so there is no profile to draw."
SHARE_AXIS = r"active share $|A_l|\,/\,N$"

VARIANT_STYLES: tuple[dict[str, Any], ...] = (
    {"color": INK, "linestyle": SOLID, "marker": "o"},
    {"color": GREY, "linestyle": DASHED, "marker": "s"},
    {"color": SKY, "linestyle": DASH_DOT, "marker": "D"},
    {"color": VERMILION, "linestyle": DOTTED, "marker": "^"},
    {"color": BLUE, "linestyle": (0, (8, 2)), "marker": "v"},
    {"color": GREEN, "linestyle": (0, (6, 1, 1, 1, 1, 1)), "marker": "P"},
)


def field_style(field: str) -> dict[str, Any]:
    """Style of a kind of field."""
    return FIELD_STYLES.get(field, OTHER_FIELD)


def group_label(data: ReportData, group: Group) -> str:
    """Name a panel: the field, after the family if there are several."""
    family, field = group
    many = len(data.families) > 1
    return f"{plain(family, 18)}: {plain(field_plural(field), 18)}" if many else plain(field_plural(field))


def group_labels(data: ReportData, groups: Sequence[Group] | None = None) -> list[str]:
    """Names of the panels."""
    return [group_label(data, group) for group in (data.groups if groups is None else groups)]


def no_exponents(data: ReportData) -> str | None:
    """Say why no exponent could be fitted at all."""
    if data.fits["value"].is_not_null().any():
        return None
    most = max((len(data.scales(family)) for family in data.families), default=0)
    why = (
        f"a fit needs at least 3 scales and this study has {most}"
        if most < 3
        else "fewer than 3 scales are left at every step (the reasons are listed below)"
    )
    return f"No exponent could be fitted: {why}."


def quantity_rows(fits: pl.DataFrame) -> pl.DataFrame:
    """Take D - 1, z and delta of a table of fits."""
    names = {exponent: quantity for quantity, exponent in QUANTITIES.items()}
    shift = pl.when(pl.col("exponent") == "D").then(1.0).otherwise(0.0)
    kept = fits.filter(pl.col("exponent").is_in(list(names)))
    shifted = [pl.col(name) - shift for name in ("value", "low", "high") if name in fits.columns]
    return kept.with_columns(*shifted, quantity=pl.col("exponent").replace(names)).drop("exponent")


def scale_label(data: ReportData, family: str, scale: str) -> str:
    """Name a scale in a legend, with its number of entries, after the family if there are several."""
    prefix = f"{plain(family, 16)} " if len(data.families) > 1 else ""
    return f"{prefix}{plain(scale)}, N = {data.sizes(family, scale)}"


def scale_lines(
    canvas: Canvas, axes: Axes, data: ReportData, family: str, rows: pl.DataFrame, x: str, y: str
) -> None:
    """Draw a keyed line for each scale of a family: real fields strong and the null faint, a null alone strong."""
    strong = "real" if "real" in data.variants else data.baseline
    for scale, style in scale_styles(data.scales(family)).items():
        own = rows.filter(pl.col("scale") == scale)
        faint = {"color": style["color"], "linewidth": 0.8, "linestyle": DASHED, "alpha": 0.6, "marker": ""}
        draw_line(axes, own.filter(pl.col("variant") != strong), x, y, faint)
        draw_line(axes, own.filter(pl.col("variant") == strong), x, y, style)
        if own.height:
            canvas.key(scale_label(data, family, scale), **style)
    if strong != "real":
        canvas.key(f"(all of the {plain(strong)} null)", linestyle="none")
    elif data.baseline:
        canvas.key(f"{plain(data.baseline)} null", color=GREY, linewidth=0.8, linestyle=DASHED)
