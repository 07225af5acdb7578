"""Which nodes are active: candidates in a bitmap, and the list of active nodes that is made of it.

Whatever lifts a node above the threshold marks it as a candidate; one that other contributions have brought down
again is dropped when the list is made. So the list does not depend on the order of the contributions, and costs in
proportion to the candidates. A byte for every group of 16 words of marks tells whether the group has any.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.probe.machine import count_bits, lowest_bit, prefetch
from gradcascade.probe.parallel import compiled, parallel

GROUP_BITS = 10
"""A group is 2**10 nodes: 16 words of marks."""

GROUP_WORDS = 1 << (GROUP_BITS - 6)
_BATCH = 256
_ONE = np.uint64(1)
_SIX = np.uint64(6)
_GROUP = np.uint64(GROUP_BITS)
_LOW = np.uint64(63)


class Marks(NamedTuple):
    """Candidates: one bit a node in ``words``; ``groups`` tells of every group whether it may have any."""

    words: NDArray[np.uint64]
    groups: NDArray[np.uint8]

    @classmethod
    def of(cls, n: int) -> Marks:
        """No marks, for n nodes."""
        return cls(np.zeros((n + 63) >> 6, np.uint64), np.zeros((n - 1 >> GROUP_BITS) + 1, np.uint8))


class Active(NamedTuple):
    """The active nodes of a step, in order."""

    rows: NDArray[np.integer]
    """Where each one's row starts."""
    ends: NDArray[np.integer]
    """Contributions of the nodes up to and including it."""
    shares: NDArray[np.int64]
    """What it hands to every neighbour."""

    def __len__(self) -> int:
        return len(self.shares)

    @property
    def contributions(self) -> int:
        """Contributions of all."""
        return int(self.ends[-1]) if len(self.ends) else 0


@numba.njit(inline="always")
def above(unit, threshold):
    """Whether a magnitude is larger than the threshold (no branch, and right for every int64 below 2**62)."""
    return np.uint64(unit + threshold) > np.uint64(2 * threshold)


@numba.njit(inline="always")
def mark(words, groups, node):
    """Mark a node; the caller owns its word."""
    words[node >> _SIX] |= _ONE << (node & _LOW)
    groups[node >> _GROUP] = 1


@numba.njit(inline="always")
def mark_group(units, threshold, words):
    """Write the marks of one group, given its parts of the field and of the words: whether there are any."""
    found = np.uint64(0)
    for word in range(words.shape[0]):
        bits = np.uint64(0)
        # A slice counted from 0 is what the compiler makes vector instructions of.
        values = units[word * 64 : (word + 1) * 64]
        for place in range(values.shape[0]):
            bits |= np.uint64(above(values[place], threshold)) << np.uint64(place)
        words[word] = bits
        found |= bits
    return found != 0


@compiled()
def _mark_groups(units, threshold, words, groups, start, stop):
    for group in range(start, stop):
        own = units[group << GROUP_BITS : (group + 1) << GROUP_BITS]
        groups[group] = mark_group(own, threshold, words[group * GROUP_WORDS : (group + 1) * GROUP_WORDS])


@parallel()
def mark_active(units, threshold, words, groups, parts):
    """Mark every active node; groups are marked exactly."""
    count = groups.shape[0]
    for part in numba.prange(parts):
        _mark_groups(units, threshold, words, groups, part * count // parts, (part + 1) * count // parts)


@parallel()
def _count(words, groups, parts):
    """Where each part's candidates start, and their number at the end: shape (parts + 1,)."""
    counts = np.zeros(parts + 1, np.int64)
    for part in numba.prange(parts):
        own = np.uint64(0)
        for group in range(part * groups.shape[0] // parts, (part + 1) * groups.shape[0] // parts):
            if groups[group]:
                for word in range(group * GROUP_WORDS, min((group + 1) * GROUP_WORDS, words.shape[0])):
                    own += count_bits(words[word])  # pyright: ignore[reportCallIssue]
        counts[part + 1] = own
    return counts.cumsum()


@compiled()
def _take_groups(units, offsets, stride, words, groups, first, last, threshold, alpha, at, rows, ends, shares):
    """Turn the candidates of some groups into active nodes: how many were active."""
    begin = at
    end = np.uint64(0)
    batch = np.empty(_BATCH + 64, np.uint32)
    filled = 0
    word = first * GROUP_WORDS
    last_word = min(last * GROUP_WORDS, words.shape[0])
    while word < last_word or filled:
        # The values of a batch of candidates are asked for before any of them is needed.
        while word < last_word and filled < _BATCH:
            if word % GROUP_WORDS == 0:
                if groups[word // GROUP_WORDS] == 0:
                    word += GROUP_WORDS
                    continue
                groups[word // GROUP_WORDS] = 0
            bits = words[word]
            words[word] = 0
            while bits:
                node = np.uint64(word) * np.uint64(64) + lowest_bit(bits)  # pyright: ignore[reportCallIssue]
                prefetch(units, node)  # pyright: ignore[reportCallIssue]
                if stride == 0:
                    prefetch(offsets, node)  # pyright: ignore[reportCallIssue]
                batch[filled] = node
                filled += 1
                bits &= bits - _ONE
            word += 1
        for k in range(filled):
            node = np.uint64(batch[k])
            unit = units[node]
            if above(unit, threshold):
                if stride:
                    start, degree = node * np.uint64(4), np.int64(4)
                else:
                    start = np.uint64(offsets[node])
                    degree = np.int64(np.uint64(offsets[node + _ONE]) - start)
                share = np.int64(np.float64(unit) * (alpha / degree))
                unit -= share * degree
                units[node] = unit
                end += np.uint64(degree)
                rows[at], ends[at], shares[at] = start, end, share
                at += 1
                if above(unit, threshold):
                    mark(words, groups, node)
        filled = 0
    return at - begin


@parallel()
def _take(units, offsets, stride, words, groups, threshold, alpha, starts, rows, ends, shares):
    parts = starts.shape[0] - 1
    count = groups.shape[0]
    used = np.zeros(parts, np.int64)
    for part in numba.prange(parts):
        first, last = part * count // parts, (part + 1) * count // parts
        used[part] = _take_groups(
            units, offsets, stride, words, groups, first, last, threshold, alpha, starts[part], rows, ends, shares
        )
    return used


@compiled()
def _close_gaps(starts, used, rows, ends, shares):
    """Move the parts together and let the ends run on: how many there are."""
    at = used[0]
    for part in range(1, used.shape[0]):
        before = ends[at - 1] if at else ends.dtype.type(0)
        for k in range(starts[part], starts[part] + used[part]):
            rows[at], ends[at], shares[at] = rows[k], before + ends[k], shares[k]
            at += 1
    return at


def take_active(
    units: NDArray[np.int64],
    offsets: NDArray[np.integer],
    stride: int,
    marks: Marks,
    threshold: int,
    alpha: float,
    parts: int,
) -> Active:
    """List the active nodes, subtract their shares, and clear the marks of those that fall below the threshold."""
    starts = _count(*marks, parts)
    rows = np.empty(starts[-1], offsets.dtype)
    ends = np.empty(starts[-1], offsets.dtype)
    shares = np.empty(starts[-1], np.int64)
    used = _take(units, offsets, stride, *marks, threshold, alpha, starts, rows, ends, shares)
    count = _close_gaps(starts, used, rows, ends, shares)
    return Active(rows[:count], ends[:count], shares[:count])
