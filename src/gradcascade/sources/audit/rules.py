"""The rules of the content checks: functions of norms and distances alone, each with its threshold's reason.

Distances to the next of K checkpoints have the shape (K - 1,), to the one after it (K - 2,), to the last (K,). False
alarms were counted on clean families: see ``docs/data-layouts.md``.
"""

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
    """Which checkpoints lie far off the way between their neighbours.

    Checkpoint m, with p before and n after it, is off the way if d(p, m) + d(m, n) > 3 d(p, n). The two sides are
    equal to the third on a straight way, sqrt(2) times it on a random walk, and 2 times it when weights only
    fluctuate around a fixed point; so 3 needs successive differences with a correlation below -0.78, which no
    training produces, while the weights of another step or run lie many differences away. No assumption on the
    learning rate or the spacing of the steps is made. Of two neighbours off the way only the one with the larger
    detour is named: the other is off the way to it.
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

    Of four checkpoints a, b, c, d in the order of their labels, b and c are swapped if d(a, b) + d(c, d) exceeds
    1.2 (d(a, c) + d(b, d)), so that the path is shorter with b and c exchanged. In the right order the ratio is 1/3
    on a straight way, 0.71 on a random walk, and at most 1 for fluctuation around a fixed point; swapped, these
    become 3, 1.41 and 1. So 1.2 separates them wherever the weights move at all between b and c. And the exchange
    must repair the order: a, c, b and c, b, d then make no detour of more than 2, the most that occurs in order (see
    `misplaced`); otherwise one of the two is out of place, and they are not exchanged.
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
    more than log 4. A trend (warm-up, decay, a restart of the learning rate, differences that grow like the span
    instead of its root) lies between the neighbours, and spans that change by a factor of ten move r by at most
    log 3.2. At the ends, where one side cannot show a trend, the three nearest are taken instead, their interval is
    widened by its own length, and the margin is log 20. Another run's weights are 10 to 1e4 times off. Doubtful
    entries are neither judged nor used; with fewer than four left, none is an outlier.
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
        if 0 < i < len(row) - 1:
            low, high = sorted((row[i - 1], row[i + 1]))
            margin = np.log(jump)
        else:
            around = row[1 : 1 + NEIGHBOURS] if i == 0 else row[-1 - NEIGHBOURS : -1]
            low, high = around.min(), around.max()
            margin = high - low + np.log(edge_jump)
        found[place] = row[i] < low - margin or row[i] > high + margin
    return found


def late(to_last: ArrayLike, to_next: ArrayLike, spans: ArrayLike) -> NDArray[np.bool_]:
    """Which checkpoints carry weights of a later time than their label, alone or as a whole stretch.

    Training approaches its last weights, so the distance to them falls, or stays. A checkpoint is near if it is less
    than half as far from the last one as at least two later checkpoints are (two, so that one that is far from
    everything does not make all the earlier ones look late). A stretch of near checkpoints is late if the distance
    at least doubles on leaving it, and was at least twice as large before it. A stretch that begins the run must be
    left by a leap instead: a difference that is, per root of a training step, more than twice the median of the next
    five. Weights that start near a fixed point, as in a second training at a high learning rate, are near as well,
    but leave gradually.
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
