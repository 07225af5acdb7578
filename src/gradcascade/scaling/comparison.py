"""Two studies side by side: exponents, nulls and regimes, with intervals of the differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from gradcascade.errors import InputError
from gradcascade.fields.kinds import field_plural
from gradcascade.scaling.fits import EXPONENTS
from gradcascade.scaling.points import Cascades, Points, points_of
from gradcascade.scaling.published import published_exponents
from gradcascade.scaling.regression import t_quantile
from gradcascade.scaling.schemas import flags, numbers, texts
from gradcascade.scaling.verdict import MARGIN, verdicts
from gradcascade.scaling.window_means import PARTS, window_differences, window_intervals
from gradcascade.scaling.windows import Window, published_windows
from gradcascade.tables.reasons import Reason, reason_of, told

COMPARISON_SCHEMA = (
    texts("family_a", "family_b", "field", "variant", "exponent")
    | numbers(*(f"{name}_{side}" for side in "ab" for name in ("value", "low", "high")))
    | numbers("difference", "low", "high", "along_difference", "along_low", "along_high")
    | texts("code", "reason")
)
"""Columns of a comparison, in order."""

PUBLISHED_SCHEMA = (
    texts("family", "field", "variant", "exponent")
    | numbers("value", "low", "high", "sd", "published", "published_sd")
    | flags("inside")
    | texts("code", "reason")
    | numbers("scales_value", "scales_se", "less", "apart")
)
"""Columns of a comparison with the published values, in order."""

_TOTAL = "real - N0"
Row = dict[str, Any]


def compare_studies(
    first: Cascades, second: Cascades, first_window: Window = None, second_window: Window = None
) -> pl.DataFrame:
    """Compare the exponents of two tables of cascades over their windows.

    Families of one name are compared; if none has the name of another and each table has one family, those two are.
    The ``difference`` is second less first with its interval across scales; ``along_*`` that of the window means,
    which only describes these very runs.
    The two are taken as independent: for runs that share their data the interval is too wide.
    """
    a, b = points_of(first, first_window), points_of(second, second_window)
    ours, theirs = _means(a), _means(b)
    rows = []
    for family_a, family_b, field in _pairs(a, b):
        for key, known in ours.items():
            other = theirs.get((family_b, *key[1:]))
            if key[:2] == (family_a, field) and other is not None:
                names = {"family_a": family_a, "family_b": family_b, "field": field}
                rows.append(names | {"variant": key[2], "exponent": key[3]} | independent_difference(known, other))
    return pl.DataFrame(
        [{name: row.get(name) for name in COMPARISON_SCHEMA} for row in rows], schema=COMPARISON_SCHEMA
    )


def compare_verdicts(
    first: Cascades,
    second: Cascades,
    first_window: Window = None,
    second_window: Window = None,
    margin: float = MARGIN,
) -> pl.DataFrame:
    """Set the regime verdicts of two tables of cascades side by side."""
    both = points_of(first, first_window), points_of(second, second_window)
    a, b = (
        {(row["family"], row["field"]): row for row in verdicts(points, margin=margin).to_dicts()} for points in both
    )
    rows = []
    for family_a, family_b, field in _pairs(*both):
        sides = ("a", a[family_a, field]), ("b", b[family_b, field])
        said = {f"{name}_{side}": part[name] for name in ("verdict", "sentence") for side, part in sides}
        rows.append({"family_a": family_a, "family_b": family_b, "field": field} | said)
    return pl.DataFrame(rows)


def compare_published(cascades: Cascades, window: Window = None) -> pl.DataFrame:
    """Set window means beside the published ones of the families of the same name.

    Without a window each family has its published one. ``inside`` says whether the published value lies in the
    interval across scales; ``less`` is ours across scales less published, ``apart`` the same in standard errors.
    """
    known = published_exponents()
    points = points_of(cascades, window)
    if window is None and not isinstance(cascades, Points):
        points = points.within(published_windows(points.rows))
    means = _means(points)
    there = {key[:2] for key in means}
    rows = []
    for row in known.to_dicts():
        key = (row["family"], row["field"])
        if key not in there or row["quantity"] not in EXPONENTS:
            continue
        found = means.get((*key, row["variant"], row["quantity"]))
        names = {"family": key[0], "field": key[1], "variant": row["variant"], "exponent": row["quantity"]}
        names |= {"published": row["value"], "published_sd": row["sd"]}
        if found is None:
            rows.append(names | told(Reason.of("not-measured")))
            continue
        low, high = found.get("scales_low"), found.get("scales_high")
        inside = None if low is None or high is None else low <= row["value"] <= high
        found_here = {"value": found["mean"], "sd": found["sd"], "low": low, "high": high, "inside": inside}
        across = {name: found[name] for name in ("scales_value", "scales_se")}
        rows.append(names | found_here | across | told(reason_of(found, "scales_")))
    if not rows:
        offered = ", ".join(
            f"{family} ({field_plural(field)})"
            for family, field in known.select("family", "field").unique().sort("family").iter_rows()
        )
        raise InputError(
            f"no family here is a published one (there are {offered}); name the family so with --family, or compare "
            f"with another study"
        )
    less = pl.col("scales_value") - pl.col("published")
    apart = less / pl.when(pl.col("scales_se") > 0).then("scales_se")
    return pl.DataFrame(rows, schema=PUBLISHED_SCHEMA).with_columns(less=less, apart=apart)


def _means(points: Points) -> dict[tuple[str, str, str, str], Row]:
    singles = window_intervals(points)
    totals = window_differences(points, parts={_TOTAL: PARTS["total"]}).rename({"difference": "variant"})
    names = ("family", "field", "variant", "exponent")
    return {tuple(row[name] for name in names): row for row in pl.concat([singles, totals]).to_dicts()}  # pyright: ignore[reportReturnType]


def _pairs(first: Points, second: Points) -> list[tuple[str, str, str]]:
    a, b = set(first.windows), set(second.windows)
    same = sorted((family, family, field) for family, field in a & b)
    if same:
        return same
    families = [{family for family, _ in table} for table in (a, b)]
    if all(len(names) == 1 for names in families):
        (name_a,), (name_b,) = families
        found = sorted((name_a, name_b, field) for field in {f for _, f in a} & {f for _, f in b})
        if found:
            return found
    listed = [", ".join(f"{family} ({field})" for family, field in sorted(table)) or "nothing" for table in (a, b)]
    raise InputError(
        f"the two studies share no family and field: one has {listed[0]}, the other {listed[1]}; "
        f"give the families one name, or compare studies of one family each"
    )


def independent_difference(a: Mapping[str, Any], b: Mapping[str, Any]) -> Row:
    """Second less first of two independent rows of window means, with its interval, and that along training.

    The degrees of freedom are the mean of Welch's (Biometrika 34, 1947) and of the smaller of the two: with two and
    more of them, Welch's alone cover 93 to 96.5 %, less where scales scatter unequally
    (benchmarks/interval_coverage.py).
    """
    row: Row = {
        f"value_{side}": part["scales_value"] if part["scales_value"] is not None else part["mean"]
        for side, part in (("a", a), ("b", b))
    }
    row |= {f"{end}_{side}": part[f"scales_{end}"] for side, part in (("a", a), ("b", b)) for end in ("low", "high")}
    reasons = list(_reasons(a, b))
    row |= told(Reason(reasons[0].code, "; ".join(each.reason for each in reasons)) if reasons else None)
    if not reasons:
        gap = b["scales_value"] - a["scales_value"]
        parts = [(part["scales_se"] ** 2, part["n_scales"] - 2) for part in (a, b)]
        variance = sum(square for square, _ in parts)
        welch = variance**2 / sum(s * s / d for s, d in parts) if variance > 0 else 1.0
        degrees = (welch + min(d for _, d in parts)) / 2
        half = t_quantile(degrees) * variance**0.5
        row |= {"difference": gap, "se": variance**0.5, "low": gap - half, "high": gap + half}
    if a["low"] is not None and b["low"] is not None:
        gap = b["mean"] - a["mean"]
        half = ((a["high"] - a["mean"]) ** 2 + (b["high"] - b["mean"]) ** 2) ** 0.5
        row |= {"along_difference": gap, "along_low": gap - half, "along_high": gap + half}
    return row


def _reasons(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Reason]:
    for name, part in (("first", a), ("second", b)):
        if reason := reason_of(part, "scales_"):
            yield Reason(reason.code, Reason.of("part-without", part=name, reason=reason.reason).reason)
