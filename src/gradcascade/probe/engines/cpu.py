"""The CPU engine: all cores, cost in proportion to the active nodes and their neighbours.

A step with few events is done by one thread, node by node (:mod:`gradcascade.probe.engines.serial`). A step with
many is done in two phases, so that no thread ever waits for a random place in memory:

1. Every thread takes a part of the active nodes, subtracts what they hand on, and files each contribution
   (destination, share) in the bucket of its destination; a bucket spans as many nodes as fit into the cache.
2. Every thread takes whole buckets, adds their contributions, and marks the destinations in a bitmap.

The next active nodes are then read off the bitmap, in order. All additions are of integers, so neither the split
nor the order of the buckets changes a bit. Contributions are filed in rounds of bounded length, so that memory
stays bounded too.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.probe.engines import serial
from gradcascade.probe.graph import Graph

BUCKET_BITS = 16
"""A bucket spans 2**16 nodes: half a megabyte of the field."""

CHUNK = 256
"""Contributions that are filed together in one bucket."""

ROUND = 1 << 20
"""Contributions of all threads in one round, at least; an eighth of the nodes if that is more."""

MANY = 1 << 17
"""From this number of active nodes on, a step is done by all threads."""


@numba.njit(parallel=True, cache=True)
def _first_active(units, threshold, parts):
    n = units.shape[0]
    counts = np.zeros(parts + 1, np.int64)
    for part in numba.prange(parts):
        count = 0
        for i in range(part * n // parts, (part + 1) * n // parts):
            count += abs(units[i]) > threshold
        counts[part + 1] = count
    starts = counts.cumsum()
    active = np.empty(starts[parts], np.int32)
    for part in numba.prange(parts):
        place = starts[part]
        for i in range(part * n // parts, (part + 1) * n // parts):
            if abs(units[i]) > threshold:
                active[place] = i
                place += 1
    return active


@numba.njit(parallel=True, cache=True)
def _hand_on(units, offsets, active, alpha, shares, parts):
    """Compute every share from the state before the step, and subtract it."""
    count = active.shape[0]
    for part in numba.prange(parts):
        for j in range(part * count // parts, (part + 1) * count // parts):
            r = active[j]
            degree = np.int64(offsets[r + 1]) - np.int64(offsets[r])
            shares[j] = np.int64(np.float64(units[r]) * (alpha / degree))
            units[r] -= shares[j] * degree


@numba.njit(cache=True)
def _file(offsets, neighbours, active, shares, at, stop, slot, used, heads, fill, links, places, amounts):
    """File contributions until the thread's chunks are used up: how far it came, in nodes and within a node."""
    chunks = links.shape[0]
    while at < stop:
        share = shares[at]
        row = np.int64(offsets[active[at]])
        end = np.int64(offsets[active[at] + 1])
        row += slot
        while row < end:
            i = neighbours[row]
            bucket = i >> BUCKET_BITS
            if fill[bucket] == CHUNK:
                if used == chunks:
                    return at, row - np.int64(offsets[active[at]]), used
                links[used] = heads[bucket]
                heads[bucket] = used
                fill[bucket] = 0
                used += 1
            place = heads[bucket] * CHUNK + fill[bucket]
            places[place] = i
            amounts[place] = share
            fill[bucket] += 1
            row += 1
        slot = 0
        at += 1
    return at, 0, used


@numba.njit(parallel=True, cache=True)
def _file_all(offsets, neighbours, active, shares, at, slots, heads, fill, links, places, amounts, parts):
    """One round of filing, every thread with its own chunks; true if contributions are left for another."""
    count = active.shape[0]
    for part in numba.prange(parts):
        heads[part, :] = -1
        fill[part, :] = CHUNK
        stop = (part + 1) * count // parts
        at[part], slots[part], _ = _file(
            offsets,
            neighbours,
            active,
            shares,
            at[part],
            stop,
            slots[part],
            0,
            heads[part],
            fill[part],
            links[part],
            places[part],
            amounts[part],
        )
    left = False
    for part in range(parts):
        left |= at[part] < (part + 1) * count // parts
    return left


@numba.njit(parallel=True, cache=True)
def _add_all(units, marks, heads, fill, links, places, amounts, parts):
    """Add what was filed, bucket by bucket, and mark the destinations."""
    buckets = heads.shape[1]
    for bucket in numba.prange(buckets):
        for part in range(parts):
            chunk = heads[part, bucket]
            length = fill[part, bucket]
            while chunk >= 0:
                for place in range(chunk * CHUNK, chunk * CHUNK + length):
                    i = places[part, place]
                    units[i] += amounts[part, place]
                    marks[i >> 3] |= np.uint8(1 << (i & 7))
                chunk = links[part, chunk]
                length = CHUNK


@numba.njit(parallel=True, cache=True)
def _mark(active, marks, parts):
    """Mark the active nodes; parts of the (ordered) list are split where bytes of the bitmap are."""
    count = active.shape[0]
    for part in numba.prange(parts):
        start = part * count // parts
        stop = (part + 1) * count // parts
        while 0 < start < count and active[start] >> 3 == active[start - 1] >> 3:
            start += 1
        while 0 < stop < count and active[stop] >> 3 == active[stop - 1] >> 3:
            stop += 1
        for j in range(start, stop):
            marks[active[j] >> 3] |= np.uint8(1 << (active[j] & 7))


@numba.njit(parallel=True, cache=True)
def _marked_active(units, marks, threshold, parts):
    """Active nodes among the marked ones, in order; clears the bitmap."""
    size = marks.shape[0]
    counts = np.zeros(parts + 1, np.int64)
    for part in numba.prange(parts):
        count = 0
        for byte in range(part * size // parts, (part + 1) * size // parts):
            mark = marks[byte]
            if mark == 0:
                continue
            kept = np.uint8(0)
            for bit in range(8):
                if mark >> bit & 1 and abs(units[byte * 8 + bit]) > threshold:
                    kept |= np.uint8(1 << bit)
                    count += 1
            marks[byte] = kept
        counts[part + 1] = count
    starts = counts.cumsum()
    active = np.empty(starts[parts], np.int32)
    for part in numba.prange(parts):
        place = starts[part]
        for byte in range(part * size // parts, (part + 1) * size // parts):
            mark = marks[byte]
            if mark == 0:
                continue
            for bit in range(8):
                if mark >> bit & 1:
                    active[place] = byte * 8 + bit
                    place += 1
            marks[byte] = 0
    return active


class _Desk:
    """Space for one round of contributions."""

    def __init__(self, n: int, parts: int) -> None:
        buckets = (n >> BUCKET_BITS) + 1
        chunks = max(ROUND, n // 8) // (CHUNK * parts) + buckets + 1
        self.heads = np.empty((parts, buckets), np.int32)
        self.fill = np.empty((parts, buckets), np.int32)
        self.links = np.empty((parts, chunks), np.int32)
        self.places = np.empty((parts, chunks * CHUNK), np.int32)
        self.amounts = np.empty((parts, chunks * CHUNK), np.int64)

    def arrays(self) -> tuple[NDArray, ...]:
        return self.heads, self.fill, self.links, self.places, self.amounts


def _many_step(
    units: NDArray[np.int64],
    graph: Graph,
    active: NDArray[np.int32],
    threshold: int,
    alpha: float,
    marks: NDArray[np.uint8],
    desk: _Desk,
    parts: int,
) -> NDArray[np.int32]:
    shares = np.empty(len(active), np.int64)
    _hand_on(units, graph.offsets, active, alpha, shares, parts)
    _mark(active, marks, parts)
    at = np.array([part * len(active) // parts for part in range(parts)], np.int64)
    slots = np.zeros(parts, np.int64)
    left = True
    while left:
        left = _file_all(graph.offsets, graph.neighbours, active, shares, at, slots, *desk.arrays(), parts)
        _add_all(units, marks, *desk.arrays(), parts)
    return _marked_active(units, marks, threshold, parts)


def relax(
    units: NDArray[np.int64], graph: Graph, threshold: int, alpha: float, max_steps: int, threads: int = 1
) -> NDArray[np.int64]:
    """Relax a field; arguments and result as in :func:`gradcascade.probe.engines.reference.relax`."""
    active = _first_active(units, threshold, threads)
    marks = np.zeros(-(-graph.n // 8), np.uint8)
    desk = None
    activity = []
    while len(active) and len(activity) < max_steps:
        activity.append(len(active))
        if len(active) >= MANY:
            if desk is None:
                desk = _Desk(graph.n, threads)
            active = _many_step(units, graph, active, threshold, alpha, marks, desk, threads)
        else:
            active = serial.step(units, graph.offsets, graph.neighbours, active, threshold, alpha, marks)
    return np.array(activity, np.int64)
