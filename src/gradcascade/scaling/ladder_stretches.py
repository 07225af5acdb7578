"""Where along the ladder z changes: the shortest stretches of it over which a change is shown.

A stretch from one rung to a later one holds no change if none of its steps does, so these hypotheses are nested, and
the stretches without a change that no longer one contains do not overlap. A stretch is claimed if it and every one
around it hold at the share of 5 % that its steps are of all steps: the p value times m / steps, the largest over all
that contain it (hierarchical testing of intervals in the place of a tree, Meinshausen, Biometrika 95, 2008). Then a
wrong one is claimed in at most 5 % of experiments, over all stretches and all conditions. A change that a later one
takes back is missed: the stretch around both then shows none.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from gradcascade.scaling.claims import LEVEL
from gradcascade.scaling.combinations import Combination, combined
from gradcascade.scaling.ladder import Ladder, trajectory
from gradcascade.scaling.schemas import flags, numbers, texts, wholes

STRETCH_SCHEMA = (
    texts("condition", "first", "last")
    | wholes("steps")
    | numbers("value", "se", "low", "high", "p", "p_adjusted")
    | flags("shown", "shortest")
)
"""Columns, in order: z at the rung ``last`` less that at ``first``; ``steps`` of the ladder between that differ."""

Floats = np.ndarray[Any, np.dtype[np.float64]]


def stretches(ladder: Ladder) -> pl.DataFrame:
    """Test every stretch of every condition's ladder; ``shortest`` are those shown that hold no shorter one shown."""
    rows: list[dict[str, Any]] = []
    for condition in ladder.conditions:
        rungs = ladder.rungs_of(condition)
        pairs = list(combinations(range(len(rungs)), 2))
        asked = [
            Combination.difference(f"{i} {j}", trajectory(condition, rungs[j]), trajectory(condition, rungs[i]))
            for i, j in pairs
        ]
        found = combined(ladder.points, asked, ladder.window).filter(pl.col("exponent") == "z")
        p = np.full((len(rungs), len(rungs)), np.nan)
        for (i, j), value in zip(pairs, found["p"].cast(pl.Float64).fill_null(np.nan), strict=True):
            p[i, j] = value
        steps, adjusted, shortest = judged(p, len(ladder.conditions))
        rows += [
            {"condition": condition, "first": rungs[i].name, "last": rungs[j].name, "steps": int(steps[i, j])}
            | {name: row[name] for name in ("value", "se", "low", "high", "p")}
            | {"p_adjusted": None if np.isnan(adjusted[i, j]) else float(adjusted[i, j])}
            | {"shown": bool(adjusted[i, j] <= LEVEL), "shortest": bool(shortest[i, j])}
            for (i, j), row in zip(pairs, found.to_dicts(), strict=True)
        ]
    return pl.DataFrame(rows, schema=STRETCH_SCHEMA)


def judged(p: Floats, times: int = 1) -> tuple[Floats, Floats, Floats]:
    """Steps of every stretch, its adjusted p value, and whether it is a shortest one that is shown.

    ``p[i, j]`` is that from rung i to rung j; NaN of neighbours that are the same field, which are no step. With
    ``times`` such ladders the p values hold over all of them.
    """
    count = len(p)
    real = np.isfinite(np.diagonal(p, 1)) if count > 1 else np.zeros(0, dtype=bool)
    before = np.concatenate([[0], np.cumsum(real)])
    steps = np.triu(before[None, :] - before[:, None]).astype(np.float64)
    own = np.where(
        steps > 0, np.nan_to_num(p, nan=1.0) * times * before[-1] / np.where(steps > 0, steps, 1.0), np.nan
    )
    adjusted = np.full(p.shape, np.nan)
    for i, j in combinations(range(count), 2):
        if steps[i, j]:
            adjusted[i, j] = min(np.nanmax(own[: i + 1, j:]), 1.0)
    shown = adjusted <= LEVEL
    shortest = np.zeros(p.shape, dtype=bool)
    for i, j in combinations(range(count), 2):
        shortest[i, j] = shown[i, j] and shown[i : j + 1, i : j + 1].sum() == 1
    return steps, adjusted, shortest
