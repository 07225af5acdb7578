"""The rules of the content checks: functions of norms and distances alone, each with its threshold's reason.

How often they cry wolf was measured on clean families: see ``docs/data-layouts.md``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

DETOUR = 3.0
CROSSING = 1.2
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
    learning rate or the spacing of the steps is made.

    Parameters
    ----------
    to_next : array_like
        Distances from each of K checkpoints to the next, shape (K - 1,).
    to_next_but_one : array_like
        To the one after the next, shape (K - 2,).

    Returns
    -------
    numpy.ndarray
        Shape (K,), bool; False for the first and the last, which have one neighbour only.
    """
    one, two = np.asarray(to_next, float), np.asarray(to_next_but_one, float)
    found = np.zeros(len(one) + 1, bool)
    if len(two):
        found[1:-1] = one[:-1] + one[1:] > DETOUR * two
        found[1:-1] &= (one[:-1] > 0) & (one[1:] > 0)
    return found


def swapped(to_next: ArrayLike, to_next_but_one: ArrayLike) -> NDArray[np.bool_]:
    """Which neighbours carry each other's label.

    Of four checkpoints a, b, c, d in the order of their labels, b and c are swapped if d(a, b) + d(c, d) exceeds
    1.2 (d(a, c) + d(b, d)), so that the way is shorter with b and c exchanged. In the right order the ratio is 1/3
    on a straight way, 0.71 on a random walk, and at most 1 for fluctuation around a fixed point; swapped, these
    become 3, 1.41 and 1. So 1.2 separates them wherever the weights move at all between b and c.

    Returns
    -------
    numpy.ndarray
        Shape (K,), bool: True at b where b and c are swapped.
    """
    one, two = np.asarray(to_next, float), np.asarray(to_next_but_one, float)
    found = np.zeros(len(one) + 1, bool)
    if len(two) >= 2:
        found[1:-2] = one[:-2] + one[2:] > CROSSING * (two[:-1] + two[1:])
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

    With r = log(norm / sqrt(span)), an entry is an outlier if it lies outside the interval of the up to three
    entries on each side by more than the interval's own length plus log 4; at the ends of the series, where
    neighbours on one side cannot show a trend, by log 20. A trend (warm-up, decay, differences that grow like the
    span instead of its root) lies inside the interval; the interval's length makes the rule lenient where norms
    change fast. Another run's weights, or another step's far away, are 10 to 1e4 times off.

    Parameters
    ----------
    norms : array_like
        Shape (K,).
    spans : array_like
        Training steps that each covers, shape (K,); ones for gradients.
    doubtful : array_like, optional
        Entries already known to be wrong, shape (K,), bool: neither judged nor used.
    jump, edge_jump : float
        The two factors.

    Returns
    -------
    numpy.ndarray
        Shape (K,), bool.
    """
    norms, spans = np.asarray(norms, float), np.asarray(spans, float)
    good = (norms > 0) & np.isfinite(norms)
    if doubtful is not None:
        good &= ~np.asarray(doubtful, bool)
    found = np.zeros(len(norms), bool)
    places = np.flatnonzero(good)
    row = np.log(norms[places]) - np.log(spans[places]) / 2
    for i, place in enumerate(places):
        before, after = row[max(i - NEIGHBOURS, 0) : i], row[i + 1 : i + 1 + NEIGHBOURS]
        around = np.concatenate([before, after])
        if len(around) < NEIGHBOURS:
            continue
        low, high = around.min(), around.max()
        margin = high - low + np.log(edge_jump if min(len(before), len(after)) == 0 else jump)
        found[place] = row[i] < low - margin or row[i] > high + margin
    return found


def late(
    to_last: ArrayLike, to_next: ArrayLike, spans: ArrayLike, doubtful: ArrayLike | None = None
) -> NDArray[np.bool_]:
    """Which checkpoints carry weights of a later time than their label, alone or as a whole stretch.

    Two things are asked for. First, the checkpoint is less than half as far from the last one as at least two later
    checkpoints are: training approaches its last weights, so this distance falls, or stays. (Two, so that one
    checkpoint that is far from everything does not make all earlier ones look late.) Second, a stretch of such
    checkpoints is left, and entered unless it begins the run, by a leap: a difference that is, per root of a
    training step, more than twice the median of the five outside the stretch. Weights that set out from near a fixed
    point, as in a warmed-up second training, fulfil the first, but glide.

    Parameters
    ----------
    to_last : array_like
        Distance of each of K checkpoints to the last, shape (K,).
    to_next : array_like
        Distance to the next, shape (K - 1,).
    spans : array_like
        Training steps to the next, shape (K - 1,).
    doubtful : array_like, optional
        Checkpoints not to compare with, shape (K,), bool.

    Returns
    -------
    numpy.ndarray
        Shape (K,), bool.
    """
    distance = np.asarray(to_last, float)
    pace = np.asarray(to_next, float) / np.sqrt(np.asarray(spans, float))
    usable = np.ones(len(distance), bool) if doubtful is None else ~np.asarray(doubtful, bool)
    near = np.zeros(len(distance), bool)
    for k in range(len(distance) - 2):
        later = np.sort(distance[k + 1 : -1][usable[k + 1 : -1]])
        near[k] = len(later) >= 2 and distance[k] < LATE * later[-2]
    found = np.zeros(len(distance), bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], near, [False]]).astype(int)))
    for first, beyond in edges.reshape(-1, 2):
        leaves = pace[beyond - 1] > LEAP * np.median(pace[beyond : beyond + AROUND])
        before = pace[max(first - 1 - AROUND, 0) : max(first - 1, 0)]
        enters = first == 0 or len(before) == 0 or pace[first - 1] > LEAP * np.median(before)
        found[first:beyond] = leaves and enters
    return found
