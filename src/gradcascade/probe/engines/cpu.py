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

CHUNK = 251
"""Contributions that are filed together in one bucket. Not a power of two: the chunks being filled would all map to
the same few lines of the cache."""

ROUND = 1 << 20
"""Contributions of all threads in one round, at least; an eighth of the nodes if that is more."""

MANY = 1 << 14
"""From this number of contributions on, a step is done by all threads."""

BLOCKS = 1 << 12
"""Blocks of active nodes whose contributions are counted, to share the work out evenly."""

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
def _hand_on(units, offsets, active, alpha, shares, reach, parts):
    """Compute every share from the state before the step and subtract it.

    ``reach`` takes the number of contributions of each of its blocks of active nodes.
    """
    count = active.shape[0]
    blocks = reach.shape[0]
    for part in numba.prange(parts):
        for block in range(part * blocks // parts, (part + 1) * blocks // parts):
            own = 0
            for j in range(block * count // blocks, (block + 1) * count // blocks):
                r = active[j]
                degree = np.int64(offsets[r + 1]) - np.int64(offsets[r])
                shares[j] = np.int64(np.float64(units[r]) * (alpha / degree))
                units[r] -= shares[j] * degree
                own += degree
            reach[block] = own


def _balanced(reach: NDArray[np.int64], count: int, parts: int) -> NDArray[np.int64]:
    """Split the active nodes so that every thread has as many contributions to file: shape (parts + 1,).

    Hubs are the first nodes, so parts of equal length would leave most of the work to the first thread.
    """
    filed = np.concatenate([[0], np.cumsum(reach)])
    blocks = np.searchsorted(filed, filed[-1] * np.arange(1, parts) // parts)
    return np.concatenate([[0], blocks * count // len(reach), [count]])


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
            if place % CHUNK == 0:
                if used == links.shape[0]:
                    return at, entry - row
                links[used] = (place - 1) // CHUNK
                place = used * CHUNK
                used += 1
            places[place] = i
            amounts[place] = share
            cursor[bucket] = place + 1
        slot = 0
        at += 1
    return at, 0


@numba.njit(parallel=True, cache=True)
def _file_all(offsets, neighbours, active, shares, bounds, at, slots, cursors, links, places, amounts, parts):
    """One round of filing, every thread with its own chunks; true if contributions are left for another."""
    for part in numba.prange(parts):
        cursors[part, :] = 0
        at[part], slots[part] = _file(
            offsets,
            neighbours,
            active,
            shares,
            at[part],
            bounds[part + 1],
            slots[part],
            cursors[part],
            links[part],
            places[part],
            amounts[part],
        )
    left = False
    for part in range(parts):
        left |= at[part] < bounds[part + 1]
    return left


@numba.njit(parallel=True, cache=True)
def _add_all(units, marks, threshold, last, cursors, links, places, amounts, parts):
    """Add what was filed, bucket by bucket, and mark the destinations.

    In the last round only the marks of active nodes are kept: their number.
    """
    n = units.shape[0]
    buckets = cursors.shape[1]
    counts = np.zeros(buckets, np.int64)
    # Low buckets hold the hubs and get most contributions, so they are dealt out like cards.
    for turn in numba.prange(parts * ((buckets + parts - 1) // parts)):
        hands = (buckets + parts - 1) // parts
        bucket = turn % hands * parts + turn // hands
        if bucket >= buckets:
            continue
        for part in range(parts):
            end = cursors[part, bucket]
            chunk = (end - 1) // CHUNK
            while chunk >= 0:
                for place in range(chunk * CHUNK, end):
                    i = places[part, place]
                    units[i] += amounts[part, place]
                    marks[i >> 6] |= np.uint64(1) << np.uint64(i & 63)
                chunk = links[part, chunk]
                end = (chunk + 1) * CHUNK
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
    reach: NDArray[np.int64],
    threshold: int,
    marks: NDArray[np.uint64],
    desk: _Desk,
    parts: int,
) -> NDArray[np.int32]:
    _mark(active, marks, parts)
    bounds = _balanced(reach, len(active), parts)
    at = bounds[:-1].copy()
    slots = np.zeros(parts, np.int64)
    left, count = True, 0
    while left:
        left = _file_all(graph.offsets, graph.neighbours, active, shares, bounds, at, slots, *desk.arrays(), parts)
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
        reach = np.zeros(min(BLOCKS, len(active)), np.int64)
        _hand_on(units, graph.offsets, active, alpha, shares, reach, threads)
        total = int(reach.sum())
        if total < MANY:
            active = serial.hand_over(units, graph.offsets, graph.neighbours, active, shares, total, threshold, marks)
        else:
            desk = desk or _Desk(graph.n, threads)
            active = _many_step(units, graph, active, shares, reach, threshold, marks, desk, threads)
    return np.array(activity, np.int64)
