"""A step with many contributions, in two phases, so that no thread waits for a random place in memory.

1. Every thread takes as many contributions as the others and files each in the bucket of its node: 8 bytes, of which
   the low ones are the node's place in the bucket and the others the share.
2. Every thread takes whole buckets, brings the nodes of a bucket into the cache, adds the contributions, and marks
   the nodes that they lift above the threshold.

Integer additions commute, so the split changes no bit. Rounds of bounded length keep memory bounded. A share that
does not fit beside a place is not filed but added at the end. Never many do not: the magnitudes of all contributions
add up to less than 2**62, so fewer than 2**bits have one of 2**(62 - bits), where a bucket has 2**bits nodes.
"""

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.probe.engines import serial
from gradcascade.probe.engines.active import Active, Marks, above, mark
from gradcascade.probe.engines.serial import fits, neighbour
from gradcascade.probe.graph import Graph
from gradcascade.probe.machine import prefetch, prefetch_to_write
from gradcascade.probe.parallel import compiled, parallel

BUCKET_BITS = 16
"""A bucket spans 2**16 nodes or more: half a megabyte of the field."""

BUCKETS = 1200
"""At most so many buckets: one line of the first caches for each that is being filled."""

CHUNK = 1024
"""Contributions that are filed together in one bucket."""

ROUND = 1 << 20
"""Contributions of all threads in one round, at least; 9/16 of the nodes if that is more.

A tenth of the nodes has 0.4 contributions a node where values lie anywhere, and up to 0.5 in gradients whose hubs are
active: one round for either.
"""

_AHEAD = 16
_AFTER = np.uint64(16)
_SPARSE = 8
_ONE = np.uint64(1)


@compiled()
def _file(neighbours, stride, n, rows, ends, shares, at, stop, bits, used, cursors, links, entries):
    """File contributions ``at`` to ``stop`` of a stripe until the chunks are used up.

    Gives how far it came, how many chunks are used, and how many nodes were left out, whose share is too large.
    """
    unfit = 0
    low = (_ONE << bits) - _ONE
    last = rows.shape[0] - 1
    j = np.searchsorted(ends, at, side="right")
    begin = np.int64(ends[j - 1]) if j else 0
    while at < stop:
        if stride == 0:
            prefetch(neighbours, np.uint64(rows[min(j + _AHEAD, last)]))  # pyright: ignore[reportCallIssue]
        end = min(np.int64(ends[j]), stop)
        entry = np.uint64(rows[j]) + np.uint64(at - begin)
        share = shares[j]
        if not fits(share, np.int64(bits)):
            unfit += 1
            at = end
        packed = np.uint64(share) << bits
        while at < end:
            node = np.uint64(neighbour(neighbours, entry, n, stride))
            bucket = node >> bits
            place = cursors[bucket, 0]
            if place == cursors[bucket, 1]:
                if used == links.shape[0]:
                    return at, used, unfit
                links[used] = place // CHUNK - 1
                place = used * CHUNK
                used += 1
                cursors[bucket, 1] = place + CHUNK
            entries[np.uint64(place)] = packed | node & low
            # Asked for now, the line is there when it is written to: else every new line would be waited for.
            prefetch_to_write(entries, np.uint64(place) + _AFTER)  # pyright: ignore[reportCallIssue]
            cursors[bucket, 0] = place + 1
            entry += _ONE
            at += 1
        begin = np.int64(ends[j])
        j += 1
    return at, used, unfit


@compiled()
def _file_part(
    neighbours, stride, n, rows, ends, shares, starts, counts, bounds, at, stop, bits, cursors, links, entries
):
    """File contributions ``at`` to ``stop`` of all stripes: as :func:`_file`, without the number of chunks."""
    cursors[:] = 0
    used = 0
    unfit = 0
    for stripe in range(starts.shape[0]):
        low, high = bounds[stripe], bounds[stripe + 1]
        if low <= at < min(high, stop):
            places = slice(starts[stripe], starts[stripe] + counts[stripe])
            come, used, left_out = _file(
                neighbours,
                stride,
                n,
                rows[places],
                ends[places],
                shares[places],
                at - low,
                min(high, stop) - low,
                bits,
                used,
                cursors,
                links,
                entries,
            )
            at = low + come
            unfit += left_out
    return at, unfit


@parallel()
def _file_all(
    neighbours, stride, n, rows, ends, shares, starts, counts, bounds, at, stops, unfit, bits, cursors, links, entries
):
    """One round of filing, every thread with its own chunks; true if contributions are left for another."""
    parts = at.shape[0]
    for part in numba.prange(parts):
        at[part], left_out = _file_part(
            neighbours,
            stride,
            n,
            rows,
            ends,
            shares,
            starts,
            counts,
            bounds,
            at[part],
            stops[part],
            bits,
            cursors[part],
            links[part],
            entries[part],
        )
        unfit[part] += left_out
    left = False
    for part in range(parts):
        left |= at[part] < stops[part]
    return left


@compiled()
def _add(units, threshold, words, groups, bucket, bits, cursors, links, entries):
    """Add the contributions of one bucket."""
    filed = 0
    for part in range(cursors.shape[0]):
        chunk = cursors[part, bucket, 1] // CHUNK - 1
        while chunk >= 0:
            filed += CHUNK
            chunk = links[part, chunk]
    first = bucket << np.int64(bits)
    last = min(units.shape[0], first + (1 << np.int64(bits)))
    touched = np.int64(0)
    if filed * _SPARSE > last - first:
        # Read in order, at the speed of memory; the additions then find every node in the cache.
        for node in range(first, last, 8):
            touched ^= units[node]
    low = (_ONE << bits) - _ONE
    for part in range(cursors.shape[0]):
        end = cursors[part, bucket, 0]
        chunk = cursors[part, bucket, 1] // CHUNK - 1
        while chunk >= 0:
            for place in range(np.uint64(chunk * CHUNK), np.uint64(end)):
                entry = entries[part, place]
                node = np.uint64(first) + (entry & low)
                unit = units[node] + (np.int64(entry) >> np.int64(bits))
                units[node] = unit
                if above(unit, threshold):
                    mark(words, groups, node)
            chunk = links[part, chunk]
            end = (chunk + 1) * CHUNK
    return touched


@parallel()
def _add_all(units, threshold, words, groups, bits, cursors, links, entries):
    """Add what was filed, bucket by bucket."""
    parts, buckets = cursors.shape[0], cursors.shape[1]
    touched = np.zeros(buckets, np.int64)
    hands = (buckets + parts - 1) // parts
    # Low buckets hold the hubs and get most contributions, so they are dealt out like cards.
    for turn in numba.prange(parts * hands):
        bucket = turn % hands * parts + turn // hands
        if bucket < buckets:
            touched[bucket] = _add(units, threshold, words, groups, bucket, bits, cursors, links, entries)
    return touched


def bucket_bits(n: int) -> int:
    """Bits of the nodes in one bucket, for n nodes."""
    return max(BUCKET_BITS, ((n - 1) // BUCKETS).bit_length())


class Desk:
    """Space for one round of contributions of n nodes by ``parts`` threads."""

    def __init__(self, n: int, parts: int) -> None:
        self.bits = bucket_bits(n)
        buckets = ((n - 1) >> self.bits) + 1
        chunks = max(ROUND, n * 9 // 16) // (CHUNK * parts) + buckets + 1
        self.cursors = np.empty((parts, buckets, 2), np.int64)
        self.links = np.empty((parts, chunks), np.int32)
        self.entries = np.empty((parts, chunks * CHUNK), np.uint64)

    def spread(self, units: NDArray[np.int64], graph: Graph, active: Active, threshold: int, marks: Marks) -> None:
        """Add every share to the neighbours, and mark the candidates of the next step."""
        parts = len(self.cursors)
        bounds = active.contributions * np.arange(parts + 1) // parts
        at, stops, unfit = bounds[:-1].copy(), bounds[1:], np.zeros(parts, np.int64)
        bits = np.uint64(self.bits)
        filed = bits, self.cursors, self.links, self.entries
        left = True
        while left:
            left = _file_all(graph.neighbours, graph.stride, len(units), *active, at, stops, unfit, *filed)
            _add_all(units, threshold, *marks, *filed)
        if unfit.any():
            serial.spread(units, graph, active, threshold, marks, self.bits)
