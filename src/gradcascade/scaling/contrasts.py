"""Two kinds of field of the same runs, set against each other: gradients less updates."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import polars as pl

from gradcascade.fields.kinds import field_plural, in_field_order
from gradcascade.scaling.comparison import independent_difference
from gradcascade.scaling.fits import EXPONENTS
from gradcascade.scaling.points import ORDER, Cascades, Points, points_of
from gradcascade.scaling.window_means import MEAN_SCHEMA, window_differences, window_intervals
from gradcascade.scaling.windows import Window
from gradcascade.tables.inferred import INFERRED
from gradcascade.tables.reasons import Reason, reason_of, told
from gradcascade.vocabulary import REAL

PAIRED, INDEPENDENT = "paired", "independent"
"""Logarithms subtracted scale by scale before a line is fitted; or one line for each."""

UNEQUAL_N, NO_COMMON_STEPS, NO_COMMON_RUNS = "unequal-n", "no-common-steps", "no-common-runs"
"""Why two fields are not paired, and why they cannot be set against each other at all."""

CONTRAST_SCHEMA = INFERRED["contrasts"].schema
"""Columns of the contrasts, in order."""

_SINGLE = {"value": "scales_value", "low": "scales_low", "high": "scales_high"}
Row = dict[str, Any]


def field_contrasts(cascades: Cascades, window: Window = None) -> pl.DataFrame:
    """Set the real fields of two kinds against each other, over the steps that both windows hold.

    Only scales that both have count; ``unmatched`` names the others. Where every scale has as many entries in one
    field as in the other, logarithms are subtracted step by step and scale by scale: what the runs share drops out.
    Where not, that difference would itself depend on N: ``code`` is "unequal-n", with the first such scale and both
    numbers, and each field has a line of its own (:func:`gradcascade.scaling.comparison.independent_difference`).
    """
    points = points_of(cascades, window)
    found = []
    for family in points.rows.get_column("family").unique().sort():
        own = points.only(pl.col("variant") == REAL, pl.col("family") == family)
        for pair in combinations(in_field_order(own.rows.get_column("field").unique()), 2):
            names = {"family": family, "first": pair[0], "second": pair[1]}
            found += [names | row for row in _contrast(own, pair)]
    return pl.DataFrame(found, schema=CONTRAST_SCHEMA)


def _contrast(points: Points, pair: tuple[str, str]) -> list[Row]:
    spans = [window for (_, field), window in points.windows.items() if field in pair]
    window = max(span[0] for span in spans), min(span[1] for span in spans)
    names = " and ".join(field_plural(field) for field in pair)
    rows = points.rows.filter(pl.col("field").is_in(pair), pl.col("step").is_between(*window))
    if window[0] > window[1] or rows.get_column("field").n_unique() < 2:
        return _nothing(Reason.of(NO_COMMON_STEPS, fields=names))
    fields = pl.col("field").n_unique()
    alone = rows.group_by("scale").agg(fields, pl.col("n").max()).filter(pl.col("field") < 2).sort("n", "scale")
    common: Row = {"unmatched": ", ".join(alone.get_column("scale")) or None}
    # Of the runs of a scale, those that both fields were measured of.
    rows = rows.filter(fields.over("scale", "run") == 2)
    if rows.is_empty():
        return _nothing(Reason.of(NO_COMMON_RUNS, fields=names))
    unequal = _unequal(rows.filter("included"), pair)
    swapped = rows.with_columns(variant=pl.col("field"), field=pl.lit("both")).sort(ORDER)
    both = Points(swapped, {(swapped["family"][0], "both"): window})
    single = _rows(window_intervals(both), "variant")
    if unequal is None:
        gaps = _rows(window_differences(both, parts={PAIRED: pair}), "difference")
        method, differences = PAIRED, {name: row for (_, name), row in gaps.items()}
    else:
        method, common = INDEPENDENT, common | unequal
        exponents = dict.fromkeys(name for _, name in single)
        differences = {name: _apart(single[pair[0], name], single[pair[1], name]) for name in exponents}
    return [
        {"exponent": name, "method": method}
        | {
            f"{side}_{end}": single[field, name][column]
            for side, field in zip(("first", "second"), pair, strict=True)
            for end, column in _SINGLE.items()
        }
        | {column: gap[column] for column in CONTRAST_SCHEMA if column in gap and column in MEAN_SCHEMA}
        | common
        for name, gap in differences.items()
    ]


def _nothing(reason: Reason) -> list[Row]:
    counts = dict.fromkeys(("n_steps", "n_scales", "scales_steps"), 0)
    return [{"exponent": name} | counts | told(reason) | told(reason, "scales_") for name in EXPONENTS]


def _unequal(rows: pl.DataFrame, pair: tuple[str, str]) -> Row | None:
    """The first scale whose two fields differ in their number of entries, and both numbers."""
    first, second = (
        rows.filter(pl.col("field") == field).group_by("step", "scale").agg(pl.col("n").first()) for field in pair
    )
    differ = first.join(second, on=["step", "scale"], suffix="_second").filter(pl.col("n") != pl.col("n_second"))
    if differ.is_empty():
        return None
    row = differ.sort("n", "scale", "step").row(0, named=True)
    return {"code": UNEQUAL_N, "code_scale": row["scale"], "n_first": row["n"], "n_second": row["n_second"]}


def _apart(first: Mapping[str, Any], second: Mapping[str, Any]) -> Row:
    """The difference of two separate lines in the columns of a paired one."""
    gap = independent_difference(second, first)
    along = {"mean": "along_difference", "low": "along_low", "high": "along_high"}
    across = {"scales_value": "difference", "scales_se": "se", "scales_low": "low", "scales_high": "high"}
    fewest = {name: min(first[name], second[name]) for name in ("n_steps", "n_scales", "scales_steps")}
    reasons = told(reason_of(first) or reason_of(second))
    found = {name: gap.get(source) for name, source in (along | across).items()}
    return found | fewest | reasons | told(reason_of(gap), "scales_")


def _rows(table: pl.DataFrame, what: str) -> dict[tuple[str, str], Row]:
    return {(row[what], row["exponent"]): row for row in table.to_dicts()}
