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
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from gradcascade.probe.engines import serial
from gradcascade.probe.graph import Graph

BUCKET_BITS = 16
"""A bucket spans 2**16 nodes: half a megabyte of the field."""

CHUNK_BITS = 8
CHUNK = 1 << CHUNK_BITS
"""Contributions that are filed together in one bucket."""

ROUND = 1 << 20
"""Contributions of all threads in one round, at least; an eighth of the nodes if that is more."""

MANY = 1 << 14
"""From this number of contributions on, a step is done by all threads."""

_ONE = np.uint64(1)


@intrinsic
def _popcount(typingctx, word):
    """Number of bits that are set."""

    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


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
    """Compute every share from the state before the step and subtract it: the number of contributions."""
    count = active.shape[0]
    reach = np.zeros(parts, np.int64)
    for part in numba.prange(parts):
        own = 0
        for j in range(part * count // parts, (part + 1) * count // parts):
            r = active[j]
            degree = np.int64(offsets[r + 1]) - np.int64(offsets[r])
            shares[j] = np.int64(np.float64(units[r]) * (alpha / degree))
            units[r] -= shares[j] * degree
            own += degree
        reach[part] = own
    return reach.sum()


@numba.njit(cache=True)
def _file(offsets, neighbours, active, shares, at, stop, slot, cursor, links, places, amounts):
    """File contributions until the thread's chunks are used up: how far it came, in nodes and within a node.

    ``cursor[bucket]`` is the next place; at a multiple of CHUNK the bucket needs a new chunk. ``links`` leads from
    a chunk to the one before it in the same bucket; -1 ends the chain.
    """
    used = 0
    while at < stop:
        share = shares[at]
        row = np.int64(offsets[active[at]])
        end = np.int64(offsets[active[at] + 1])
        for entry in range(row + slot, end):
            i = neighbours[entry]
            bucket = i >> BUCKET_BITS
            place = cursor[bucket]
            if place & (CHUNK - 1) == 0:
                if used == links.shape[0]:
                    return at, entry - row
                links[used] = (place - 1) >> CHUNK_BITS
                place = used << CHUNK_BITS
                used += 1
            places[place] = i
            amounts[place] = share
            cursor[bucket] = place + 1
        slot = 0
        at += 1
    return at, 0


@numba.njit(parallel=True, cache=True)
def _file_all(offsets, neighbours, active, shares, at, slots, cursors, links, places, amounts, parts):
    """One round of filing, every thread with its own chunks; true if contributions are left for another."""
    count = active.shape[0]
    for part in numba.prange(parts):
        cursors[part, :] = 0
        at[part], slots[part] = _file(
            offsets,
            neighbours,
            active,
            shares,
            at[part],
            (part + 1) * count // parts,
            slots[part],
            cursors[part],
            links[part],
            places[part],
            amounts[part],
        )
    left = False
    for part in range(parts):
        left |= at[part] < (part + 1) * count // parts
    return left


@numba.njit(parallel=True, cache=True)
def _add_all(units, marks, threshold, last, cursors, links, places, amounts, parts):
    """Add what was filed, bucket by bucket, and mark the destinations.

    In the last round only the marks of active nodes are kept: their number.
    """
    n = units.shape[0]
    buckets = cursors.shape[1]
    counts = np.zeros(buckets, np.int64)
    for bucket in numba.prange(buckets):
        for part in range(parts):
            end = cursors[part, bucket]
            chunk = (end - 1) >> CHUNK_BITS
            while chunk >= 0:
                for place in range(chunk << CHUNK_BITS, end):
                    i = places[part, place]
                    units[i] += amounts[part, place]
                    marks[i >> 6] |= np.uint64(1) << np.uint64(i & 63)
                chunk = links[part, chunk]
                end = (chunk + 1) << CHUNK_BITS
        if last:
            start = bucket << BUCKET_BITS
            for word in range(start >> 6, (min(n, start + (1 << BUCKET_BITS)) + 63) >> 6):
                counts[bucket] += _keep_active(units, marks, word, threshold)
    return counts.sum()


@numba.njit(inline="always")
def _lowest(mark):
    """Place of the lowest bit that is set."""
    return _popcount((mark & (~mark + _ONE)) - _ONE)  # pyright: ignore[reportCallIssue]


@numba.njit(inline="always")
def _keep_active(units, marks, word, threshold):
    mark = marks[word]
    kept = np.uint64(0)
    count = 0
    while mark:
        low = mark & (~mark + _ONE)
        if abs(units[(word << 6) + _lowest(mark)]) > threshold:
            kept |= low
            count += 1
        mark ^= low
    marks[word] = kept
    return count


@numba.njit(parallel=True, cache=True)
def _mark(active, marks, parts):
    """Mark the active nodes; parts of the (ordered) list are split where words of the bitmap are."""
    count = active.shape[0]
    for part in numba.prange(parts):
        start = part * count // parts
        stop = (part + 1) * count // parts
        while 0 < start < count and active[start] >> 6 == active[start - 1] >> 6:
            start += 1
        while 0 < stop < count and active[stop] >> 6 == active[stop - 1] >> 6:
            stop += 1
        for j in range(start, stop):
            marks[active[j] >> 6] |= np.uint64(1) << np.uint64(active[j] & 63)


@numba.njit(cache=True)
def _take_marked(marks, count):
    """List the marked nodes in order, and clear the marks."""
    active = np.empty(count, np.int32)
    place = 0
    for word in range(marks.shape[0]):
        mark = marks[word]
        if mark:
            marks[word] = 0
            while mark:
                active[place] = (word << 6) + _lowest(mark)
                place += 1
                mark &= mark - _ONE
    return active


class _Desk:
    """Space for one round of contributions."""

    def __init__(self, n: int, parts: int) -> None:
        buckets = (n >> BUCKET_BITS) + 1
        chunks = max(ROUND, n // 8) // (CHUNK * parts) + buckets + 1
        self.cursors = np.empty((parts, buckets), np.int32)
        self.links = np.empty((parts, chunks), np.int32)
        self.places = np.empty((parts, chunks * CHUNK), np.int32)
        self.amounts = np.empty((parts, chunks * CHUNK), np.int64)

    def arrays(self) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        """The four arrays, in the order of the functions' arguments."""
        return self.cursors, self.links, self.places, self.amounts


def _many_step(
    units: NDArray[np.int64],
    graph: Graph,
    active: NDArray[np.int32],
    shares: NDArray[np.int64],
    threshold: int,
    marks: NDArray[np.uint64],
    desk: _Desk,
    parts: int,
) -> NDArray[np.int32]:
    _mark(active, marks, parts)
    at = np.array([part * len(active) // parts for part in range(parts)], np.int64)
    slots = np.zeros(parts, np.int64)
    left, count = True, 0
    while left:
        left = _file_all(graph.offsets, graph.neighbours, active, shares, at, slots, *desk.arrays(), parts)
        count = _add_all(units, marks, threshold, not left, *desk.arrays(), parts)
    return _take_marked(marks, count)


def relax(
    units: NDArray[np.int64], graph: Graph, threshold: int, alpha: float, max_steps: int, threads: int = 1
) -> NDArray[np.int64]:
    """Relax a field; arguments and result as in :func:`gradcascade.probe.engines.reference.relax`."""
    active = _first_active(units, threshold, threads)
    marks = np.zeros((graph.n + 63) >> 6, np.uint64)
    desk = None
    activity = []
    while len(active) and len(activity) < max_steps:
        activity.append(len(active))
        shares = np.empty(len(active), np.int64)
        reach = _hand_on(units, graph.offsets, active, alpha, shares, threads)
        if reach < MANY:
            active = serial.hand_over(units, graph.offsets, graph.neighbours, active, shares, reach, threshold, marks)
        else:
            desk = desk or _Desk(graph.n, threads)
            active = _many_step(units, graph, active, shares, threshold, marks, desk, threads)
    return np.array(activity, np.int64)
