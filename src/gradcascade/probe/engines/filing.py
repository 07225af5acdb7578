"""A step with many contributions, in two phases, so that no thread waits for a random place in memory.

1. Every thread takes as many contributions as the others and files each (node, amount) in the bucket of its node.
2. Every thread takes whole buckets, brings the nodes of a bucket into the cache, adds the contributions, and marks
   the nodes that they lift above the threshold.

Integer additions commute, so the split changes no bit. Rounds of bounded length keep memory bounded.
"""

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.probe import regular
from gradcascade.probe.engines.active import Active, Marks, above, mark
from gradcascade.probe.machine import ENTRY_WORDS, entry_amount, prefetch, put_entry
from gradcascade.probe.parallel import compiled, parallel

BUCKET_BITS = 16
"""A bucket spans 2**16 nodes or more: half a megabyte of the field."""

BUCKETS = 1200
"""At most so many buckets: one line of the first caches for each that is being filled."""

CHUNK = 1024
"""Contributions that are filed together in one bucket."""

ROUND = 1 << 20
"""Contributions of all threads in one round, at least; 27/64 of the nodes if that is more (one round for noise)."""

_AHEAD = 16
_SPARSE = 8
_ONE = np.uint64(1)
_WORDS = np.uint64(ENTRY_WORDS)


@numba.njit(inline="always")
def neighbour(neighbours, entry, n, stride):
    """Neighbour number ``entry`` of all rows; computed where stride is not 0 (regular graph), read otherwise."""
    return np.uint32(neighbours[entry]) if stride == 0 else regular.neighbour(entry, n, stride)


@compiled()
def _file(neighbours, stride, n, rows, ends, shares, at, stop, bits, cursors, links, entries):
    """File contributions ``at`` to ``stop`` until the chunks are used up: how far it came."""
    cursors[:] = 0
    used = 0
    j = np.searchsorted(ends, at, side="right")
    begin = np.int64(ends[j - 1]) if j else 0
    while at < stop:
        if j + _AHEAD < rows.shape[0] and stride == 0:
            prefetch(neighbours, np.uint64(rows[j + _AHEAD]))  # pyright: ignore[reportCallIssue]
        end = min(np.int64(ends[j]), stop)
        entry = np.uint64(rows[j]) + np.uint64(at - begin)
        share = shares[j]
        while at < end:
            node = neighbour(neighbours, entry, n, stride)
            bucket = np.uint64(node) >> bits
            place = cursors[bucket, 0]
            if place == cursors[bucket, 1]:
                if used == links.shape[0]:
                    return at
                links[used] = place // CHUNK - 1
                place = used * CHUNK
                used += 1
                cursors[bucket, 1] = place + CHUNK
            put_entry(entries, np.uint64(place), node, share)  # pyright: ignore[reportCallIssue]
            cursors[bucket, 0] = place + 1
            entry += _ONE
            at += 1
        begin = np.int64(ends[j])
        j += 1
    return at


@parallel()
def _file_all(neighbours, stride, n, rows, ends, shares, at, stops, bits, cursors, links, entries):
    """One round of filing, every thread with its own chunks; true if contributions are left for another."""
    parts = at.shape[0]
    for part in numba.prange(parts):
        at[part] = _file(
            neighbours,
            stride,
            n,
            rows,
            ends,
            shares,
            at[part],
            stops[part],
            bits,
            cursors[part],
            links[part],
            entries[part],
        )
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
    first = bucket << bits
    last = min(units.shape[0], first + (1 << bits))
    touched = np.int64(0)
    if filed * _SPARSE > last - first:
        # Read in order, at the speed of memory; the additions then find every node in the cache.
        for node in range(first, last, 8):
            touched ^= units[node]
    for part in range(cursors.shape[0]):
        end = cursors[part, bucket, 0]
        chunk = cursors[part, bucket, 1] // CHUNK - 1
        while chunk >= 0:
            for place in range(np.uint64(chunk * CHUNK), np.uint64(end)):
                node = np.uint64(np.uint32(entries[part, place * _WORDS]))
                unit = units[node] + entry_amount(entries[part], place)  # pyright: ignore[reportCallIssue]
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
        chunks = max(ROUND, n * 27 // 64) // (CHUNK * parts) + buckets + 1
        self.cursors = np.empty((parts, buckets, 2), np.int64)
        self.links = np.empty((parts, chunks), np.int32)
        self.entries = np.empty((parts, chunks * CHUNK * ENTRY_WORDS), np.int32)

    def spread(
        self,
        units: NDArray[np.int64],
        neighbours: NDArray[np.int32],
        stride: int,
        active: Active,
        threshold: int,
        marks: Marks,
    ) -> None:
        """Add every share to the neighbours, and mark the candidates of the next step."""
        parts = len(self.cursors)
        bounds = active.contributions * np.arange(parts + 1) // parts
        at, stops = bounds[:-1].copy(), bounds[1:]
        filed = self.cursors, self.links, self.entries
        left = True
        while left:
            left = _file_all(neighbours, stride, len(units), *active, at, stops, np.uint64(self.bits), *filed)
            _add_all(units, threshold, *marks, self.bits, *filed)
