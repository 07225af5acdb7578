"""What each figure should show, from its frame alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import polars as pl

from gradcascade.report.data import of_group

from .drawn import Marks, bands, lines, mark, points, whiskers

QUANTITIES = ["D - 1", "z", "delta"]


def _groups(figure: Any) -> list[pl.DataFrame]:
    return [of_group(figure.frame(), group) for group in figure.data.groups]


def transport(figure: Any) -> list[Marks]:
    return [lines(rows, ["variant", "scale"], "step", "v_rel") for rows in _groups(figure)]


def window(figure: Any) -> list[Marks]:
    shown = ["real", "N0"]
    wanted = {"D": ["D"], "z": ["z"], "beta": ["beta", "D - z"], "delta": ["delta", "D - z - 1"]}
    found = []
    for quantities in wanted.values():
        here: Marks = Counter()
        for row in figure.frame().filter(pl.col("quantity").is_in(quantities)).iter_rows(named=True):
            place = -float(figure.data.groups.index((row["family"], row["field"])) * 2 + shown.index(row["variant"]))
            here[mark("point", row["mean"], place)] += 1
            if row["sd"] is not None:
                here[mark("whisker", row["mean"] - row["sd"], place, row["mean"] + row["sd"], place)] += 1
        found.append(here)
    return found


def exponents(figure: Any) -> list[Marks]:
    return [
        lines(own, ["variant", "duration"], "step", "value")
        + sum((bands(part) for _, part in own.group_by("variant")), Counter())
        for rows in _groups(figure)
        for own in (rows.filter(pl.col("quantity") == name) for name in QUANTITIES)
    ]


def compressibility(figure: Any) -> list[Marks]:
    return [lines(rows, ["variant", "exponent"], "step", "r2") for rows in _groups(figure)]


def compressibility_map(figure: Any) -> list[Marks]:
    order = [("real", name) for name in ("D", "z", "delta")] + [("N0", name) for name in ("D", "z", "delta")]
    found = []
    for rows in _groups(figure):
        here: Marks = Counter()
        steps = rows["step"].unique().sort().to_list()
        edges = [(a + b) / 2 for a, b in pairwise(steps)]
        edges = [2 * steps[0] - edges[0], *edges, 2 * steps[-1] - edges[-1]]
        for row in rows.drop_nulls("r2").iter_rows(named=True):
            place = steps.index(row["step"])
            height = order.index((row["variant"], row["exponent"]))
            here[mark("cell", (edges[place] + edges[place + 1]) / 2, height, row["r2"])] += 1
        found.append(here)
    return found


def compressibility_plane(figure: Any) -> list[Marks]:
    return [points(rows, "R2_z", "R2_delta") for rows in _groups(figure)]


def null_baselines(figure: Any) -> list[Marks]:
    return [
        lines(rows.filter(pl.col("quantity") == name), ["variant"], "step", "value")
        for rows in _groups(figure)
        for name in QUANTITIES
    ]


def nulls(figure: Any) -> list[Marks]:
    names, parts = ["D", "z", "delta"], ["total", "dist", "assign"]
    steps = pl.col("step").is_not_null()
    found = [
        lines(rows.filter(steps, pl.col("exponent") == name), ["part"], "step", "value")
        for rows in _groups(figure)
        for name in names
    ]
    for name in names:
        here: Marks = Counter()
        for place, rows in enumerate(_groups(figure)):
            for row in rows.filter(~steps, pl.col("exponent") == name).drop_nulls("value").iter_rows(named=True):
                x = place + 0.27 * (parts.index(row["part"]) - 1)
                here[mark("bar", x, row["value"])] += 1
                if row["sd"] is not None:
                    here += whiskers([x], [row["value"] - row["sd"]], [row["value"] + row["sd"]])
        found.append(here)
    return found


def tertiles(figure: Any) -> list[Marks]:
    thirds, series = ["early", "middle", "late"], ["real", "null", "total", "dist", "assign"]
    found = []
    for rows in _groups(figure):
        for name in QUANTITIES:
            here: Marks = Counter()
            for row in rows.filter(pl.col("quantity") == name).iter_rows(named=True):
                x = thirds.index(row["tertile"]) + 0.15 * (series.index(row["series"]) - 2)
                here[mark("point", x, row["mean"])] += 1
                if row["sd"] is not None:
                    here += whiskers([x], [row["mean"] - row["sd"]], [row["mean"] + row["sd"]])
            found.append(here)
    return found


def performance(figure: Any) -> list[Marks]:
    found = []
    for rows in _groups(figure):
        steps = rows.drop_nulls("step")
        metric = steps.filter(pl.col("quantity") == "metric")
        found.append(points(metric, "step", "value") + bands(metric))
        found += [
            points(steps.filter(pl.col("quantity") == name), "step", "value") for name in ("v_rel", "duration_per_n")
        ]
        found.append(points(steps.filter(pl.col("quantity").is_in(QUANTITIES)), "step", "value"))
    return found


def performance_scales(figure: Any) -> list[Marks]:
    return [points(rows, "v_rel", "value") for rows in _groups(figure)]


def activity(figure: Any) -> list[Marks]:
    return [points(rows, "relaxation_step", "share") for rows in _groups(figure)]


def activity_steps(figure: Any) -> list[Marks]:
    return [
        points(rows.filter(pl.col("step") == step), "relaxation_step", "share")
        for rows in _groups(figure)
        for step in rows["step"].unique().sort()
    ]


def gradient_update(figure: Any) -> list[Marks]:
    frame, series = figure.frame(), ["gradient", "update", "gradient - update"]
    found = [points(frame.filter(pl.col("quantity") == name), "gradient", "update") for name in ("duration", "v_rel")]
    here: Marks = Counter()
    for row in frame.filter(pl.col("step").is_null()).iter_rows(named=True):
        x = QUANTITIES.index(row["quantity"]) + 0.2 * (series.index(row["series"]) - 1)
        here[mark("point", x, row["value"])] += 1
        here += whiskers([x], [row["low"]], [row["high"]])
    return [*found, here]


def robustness(figure: Any) -> list[Marks]:
    frame = figure.frame()
    choices = frame["choice"].unique(maintain_order=True).to_list()
    names = [name for name in ("D", "z", "beta", "delta") if name in set(frame["exponent"])]
    found = []
    for rows in frame.partition_by("family", "field", maintain_order=True):
        cells = rows.select("exponent", "choice", "in_errors").iter_rows()
        found.append(Counter(mark("cell", names.index(e), choices.index(c), value) for e, c, value in cells))
    return found


def orders(figure: Any) -> list[Marks]:
    found = []
    for rows in _groups(figure):
        places = rows["order"].unique(maintain_order=True).to_list()
        for name in ("D", "z", "delta"):
            here: Marks = Counter()
            for row in rows.filter(pl.col("exponent") == name).iter_rows(named=True):
                x = places.index(row["order"])
                here[mark("point", x, row["value"])] += 1
                here += whiskers([x], [row["low"]], [row["high"]])
            found.append(here)
    return found


def forest(figure: Any) -> list[Marks]:
    frame, keys = figure.frame(), ["family", "field", "row", "variant", "run"]
    durations = ["n_steps", "continuous", "profile"]
    heights: dict[Any, float] = {}
    before, place = None, 0.0
    for key in frame.select(keys).unique(maintain_order=True).rows():
        place -= 1.6 if before and before != key[:2] else 1.0
        heights[key], before = place, key[:2]
    found = []
    for name in QUANTITIES:
        here: Marks = Counter()
        rows = frame.filter(pl.col("quantity") == name)
        several = Counter(rows.select(keys).rows())
        for row in rows.iter_rows(named=True):
            key = tuple(row[part] for part in keys)
            y = heights[key] + (0.27 * (1 - durations.index(row["duration"])) if several[key] > 1 else 0.0)
            here[mark("point", row["value"], y)] += 1
            if row["low"] is not None:
                here[mark("whisker", row["low"], y, row["high"], y)] += 1
        found.append(here)
    return found


def local_exponents(figure: Any) -> list[Marks]:
    found = []
    for rows in _groups(figure):
        for name in QUANTITIES:
            own = rows.filter(pl.col("quantity") == name)
            local = own.filter(pl.col("what") == "local")
            found.append(points(own, "n", "value") + whiskers(local["n"], local["low"], local["high"]))
    return found


def further_runs(figure: Any) -> list[Marks]:
    parts = (["runs of each size"], ["sizes between", "sizes beyond"])
    return [
        points(rows.filter(pl.col("change").is_in(changes)), "number", "half_width")
        for rows in _groups(figure)
        for changes in parts
    ]


def collapse(figure: Any) -> list[Marks]:
    return [
        points(rows.filter(pl.col("variant") == variant), "scaled_step", "height")
        for rows in _groups(figure)
        for variant in ("real", "N0")
    ]


def collapse_plane(figure: Any) -> list[Marks]:
    return [points(rows, "R2_z", "quality") + points(rows, "R2_z", "shape_quality") for rows in _groups(figure)]


EXPECTED: dict[str, Callable[[Any], list[Marks]]] = {
    "transport": transport,
    "window": window,
    "exponents": exponents,
    "compressibility": compressibility,
    "compressibility-map": compressibility_map,
    "compressibility-plane": compressibility_plane,
    "null-baselines": null_baselines,
    "nulls": nulls,
    "tertiles": tertiles,
    "performance": performance,
    "performance-scales": performance_scales,
    "activity": activity,
    "activity-steps": activity_steps,
    "gradient-update": gradient_update,
    "robustness": robustness,
    "orders": orders,
    "forest": forest,
    "collapse": collapse,
    "local-exponents": local_exponents,
    "further-runs": further_runs,
    "collapse-plane": collapse_plane,
}
