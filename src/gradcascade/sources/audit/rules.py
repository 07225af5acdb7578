"""The rules of the content checks: functions of norms and distances alone; docs/data-layouts.md has their reasons."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

DETOUR = 3.0
CROSSING = 1.2
IN_ORDER = 2.0
JUMP = 4.0
EDGE_JUMP = 20.0
LATE = 0.5
LEAP = 2.0
AROUND = 5
NEIGHBOURS = 3


def misplaced(to_next: ArrayLike, to_next_but_one: ArrayLike) -> NDArray[np.bool_]:
    """Which checkpoints lie far off the way between their neighbours p and n: d(p, m) + d(m, n) > 3 d(p, n).

    Of two neighbours off the way only the one with the larger detour is named: the other is off the way to it.
    """
    one, two = np.asarray(to_next, float), np.asarray(to_next_but_one, float)
    detour = np.zeros(len(one) + 1)
    if len(two):
        moved = (one[:-1] > 0) & (one[1:] > 0) & (two > 0)
        detour[1:-1] = np.where(moved, (one[:-1] + one[1:]) / np.where(moved, two, 1), 0)
    around = np.concatenate([[0], detour, [0]])
    return (detour > DETOUR) & (detour >= around[:-2]) & (detour >= around[2:])


def swapped(to_next: ArrayLike, to_next_but_one: ArrayLike) -> NDArray[np.bool_]:
    """Which neighbours carry each other's label; True at the first of the two.

    Of a, b, c, d in the order of their labels, b and c are swapped if d(a, b) + d(c, d) > 1.2 (d(a, c) + d(b, d)),
    and a, c, b and c, b, d make no detour of more than 2.
    """
    one, two = np.asarray(to_next, float), np.asarray(to_next_but_one, float)
    found = np.zeros(len(one) + 1, bool)
    if len(two) >= 2:
        ab, bc, cd, ac, bd = one[:-2], one[1:-1], one[2:], two[:-1], two[1:]
        found[1:-2] = (ab + cd > CROSSING * (ac + bd)) & (ac + bc <= IN_ORDER * ab) & (bc + bd <= IN_ORDER * cd)
    return found


def outliers(
    norms: ArrayLike,
    spans: ArrayLike,
    doubtful: ArrayLike | None = None,
    *,
    jump: float = JUMP,
    edge_jump: float = EDGE_JUMP,
) -> NDArray[np.bool_]:
    """Which norms fall out of the row of their neighbours.

    With r = log(norm / sqrt(span)), an entry is an outlier if it is above both of its neighbours, or below both, by
    more than log(jump). At the ends the three nearest are taken instead, their interval is widened by its own length,
    and the margin is log(edge_jump). Doubtful entries are neither judged nor used.
    """
    norms, spans = np.asarray(norms, float), np.asarray(spans, float)
    good = (norms > 0) & np.isfinite(norms)
    if doubtful is not None:
        good &= ~np.asarray(doubtful, bool)
    found = np.zeros(len(norms), bool)
    places = np.flatnonzero(good)
    row = np.log(norms[places]) - np.log(spans[places]) / 2
    if len(row) <= NEIGHBOURS:
        return found
    for i, place in enumerate(places):
        around, margin = row[[i - 1, (i + 1) % len(row)]], np.log(jump)
        if i in (0, len(row) - 1):
            around = row[1 : 1 + NEIGHBOURS] if i == 0 else row[-1 - NEIGHBOURS : -1]
            margin = np.ptp(around) + np.log(edge_jump)
        found[place] = row[i] < around.min() - margin or row[i] > around.max() + margin
    return found


def late(to_last: ArrayLike, to_next: ArrayLike, spans: ArrayLike) -> NDArray[np.bool_]:
    """Which checkpoints carry weights of a later time than their label, alone or as a whole stretch.

    A checkpoint is near if it is less than half as far from the last one as at least two later ones. A stretch of
    near ones is late if the distance at least doubles on leaving it, and was at least twice as large before it; one
    that begins the run must be left by a leap instead: a difference that is, per root of a training step, more than
    twice the median of the next five.
    """
    distance = np.asarray(to_last, float)
    pace = np.asarray(to_next, float) / np.sqrt(np.asarray(spans, float))
    near = np.zeros(len(distance), bool)
    for k in range(len(distance) - 2):
        later = np.sort(distance[k + 1 : -1])
        near[k] = len(later) >= 2 and distance[k] < LATE * later[-2]
    found = np.zeros(len(distance), bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], near, [False]]).astype(int)))
    for first, beyond in edges.reshape(-1, 2):
        largest = distance[first:beyond].max()
        leaves = largest < LATE * distance[beyond]
        if first:
            found[first:beyond] = leaves and largest < LATE * distance[first - 1]
        else:
            found[:beyond] = leaves and pace[beyond - 1] > LEAP * np.median(pace[beyond : beyond + AROUND])
    return found
