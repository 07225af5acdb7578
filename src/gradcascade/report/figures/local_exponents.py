"""Local exponents along the sizes, and the correction to scaling where one is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from gradcascade.fields.kinds import field_plural
from gradcascade.report import words
from gradcascade.report.drawing.axes import log_sizes
from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.marks import column, draw_intervals, draw_line
from gradcascade.report.drawing.quantities import (
    AXES,
    NULL_STYLE,
    QUANTITIES,
    field_style,
    group_label,
    no_exponents,
)
from gradcascade.report.drawing.style import DOTTED, GREY, SOLID, plain
from gradcascade.scaling.claims import LEVEL
from gradcascade.scaling.local_exponents import MIN_LOCAL

LOCAL, LAW, CORRECTION = "local", "one power law", "correction"
POINTS = 60
KEYS = ("family", "field", "variant")


class LocalExponents(ReportFigure):
    """Slopes through a few neighbouring scales against N, beside that through all and the leading correction.

    Columns: family, field, variant, quantity ("D - 1", "z", "delta"), what ("local"; "one power law", of the real
    fields; "correction", the local slope of the law with its leading correction, where one is shown), n (geometric
    mean of the scales' N, or a place on the curve), value, low, high (of "local", 95 %).
    """

    name = "local-exponents"
    title = "Local exponents"
    order = 35

    def _frame(self) -> pl.DataFrame:
        names = {exponent: name for name, exponent in QUANTITIES.items()}
        here = pl.col("variant").is_in(self._drawn), pl.col("exponent").is_in(list(names))
        local = self.data.answers["local_exponents"].filter(*here).with_columns(what=pl.lit(LOCAL))
        keys = [*KEYS, "exponent"]
        ends = local.group_by(keys).agg(smallest=pl.col("n_first").min(), largest=pl.col("n_last").max())
        laws = self.data.answers["corrections"].filter(*here, pl.col("variant") == "real").join(ends, on=keys)
        rows = [row for law in laws.drop_nulls("plain").to_dicts() for row in _curves(law)]
        curves = pl.DataFrame(rows, schema={name: local.schema[name] for name in (*keys, "what", "n", "value")})
        columns = [*keys, "what", "n", "value", "low", "high"]
        every = pl.concat([local.select(columns), curves], how="diagonal")
        shift = pl.when(pl.col("exponent") == "D").then(1.0).otherwise(0.0)
        every = every.with_columns(pl.col("value", "low", "high") - shift, quantity=pl.col("exponent").replace(names))
        return every.select(*KEYS, "quantity", *columns[4:]).sort(*KEYS, "quantity", "what", "n")

    def _table(self) -> pl.DataFrame:
        return self.frame().filter(pl.col("what") == LOCAL).drop("what")

    def _missing(self) -> str | None:
        if not self.frame().is_empty():
            return None
        most = max((len(self.data.scales(family)) for family in self.data.families), default=0)
        few = f"Local exponents need {MIN_LOCAL} scales of different N that are there at half of the window's steps"
        return no_exponents(self.data) or f"{few}; here there are at most {most}."

    def _caption(self) -> str:
        shown = "yes" if (self.frame()["what"] == CORRECTION).any() else ""
        return words.caption(self.name, null=self.data.baseline if len(self._drawn) > 1 else "", shown=shown)

    def _draw(self, canvas: Canvas) -> None:
        frame = self.frame()
        groups = [group for group in self.data.groups if group in set(frame.select("family", "field").iter_rows())]
        panels = canvas.panels([group_label(self.data, group) for group in groups], rows=len(QUANTITIES))
        for columns, group in zip(panels.T, groups, strict=True):
            own = frame.filter(pl.col("family") == group[0], pl.col("field") == group[1])
            for axes, quantity in zip(columns, QUANTITIES, strict=True):
                canvas.zero(axes)
                rows = own.filter(pl.col("quantity") == quantity)
                for variant in reversed(self._drawn):
                    style = _style(group[1], variant)
                    local = rows.filter(pl.col("variant") == variant, pl.col("what") == LOCAL)
                    draw_intervals(axes, column(local, "n"), local, style)
                    canvas.key(f"through neighbouring scales, {_named(group[1], variant)}", **style)
                for what, line in ((LAW, DOTTED), (CORRECTION, SOLID)):
                    style = {"color": field_style(group[1])["color"], "linestyle": line, "marker": ""}
                    curve = rows.filter(pl.col("what") == what)
                    draw_line(axes, curve, "n", "value", style)
                    if curve.height:
                        words_of = "with its correction" if what == CORRECTION else what
                        canvas.key(words_of, **style | {"color": GREY})
            for axes in columns:
                log_sizes(axes)
        for axes in panels[-1]:
            axes.set_xlabel("entries N")
        canvas.label_rows(panels, [AXES[quantity] for quantity in QUANTITIES])


def _named(field: str, variant: str) -> str:
    return plain(field_plural(field)) if variant == "real" else plain(variant)


def _style(field: str, variant: str) -> dict[str, Any]:
    if variant == "real":
        return field_style(field) | {"linestyle": "none", "markersize": 3.6}
    return NULL_STYLE | {"linestyle": "none", "marker": "x", "markersize": 3.6}


def _curves(law: dict[str, Any]) -> list[dict[str, Any]]:
    """The exponent of one power law, as a line, and that of the law with its correction where it is shown."""
    names = {name: law[name] for name in (*KEYS, "exponent")}
    found = [names | {"what": LAW, "n": float(law[end]), "value": law["plain"]} for end in ("smallest", "largest")]
    if law["p_adjusted"] is not None and law["p_adjusted"] <= LEVEL:
        fall = law["amplitude"] * law["omega"]
        for n in np.geomspace(law["smallest"], law["largest"], POINTS):
            value = law["value"] - fall * (n / law["smallest"]) ** -law["omega"]
            found.append(names | {"what": CORRECTION, "n": float(n), "value": float(value)})
    return found
