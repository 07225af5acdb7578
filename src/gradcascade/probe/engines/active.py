"""Which nodes are active: candidates in a bitmap, and the list of active nodes that is made of it.

Whatever lifts a node above the threshold marks it as a candidate; one that other contributions have brought down
again is dropped when the list is made. So the list does not depend on the order of the contributions, and costs in
proportion to the candidates. A byte for every group of 16 words of marks tells whether the group has any.

Every thread lists a stripe of the nodes. A stripe has as many places in the list as it has nodes, of which only those
that were used once take memory; so nothing need be counted beforehand. More stripes than threads would take more
memory where pages are large.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.probe.fixedpoint import cut
from gradcascade.probe.graph import Graph
from gradcascade.probe.machine import lowest_bit
from gradcascade.probe.parallel import compiled, parallel

GROUP_BITS = 10
"""A group is 2**10 nodes: 16 words of marks."""

GROUP_WORDS = 1 << (GROUP_BITS - 6)

FACTORS = 1024
"""Degrees of which the factor is looked up: a division takes longer than all else that is done for a node."""

_ONE = np.uint64(1)
_SIX = np.uint64(6)
_GROUP = np.uint64(GROUP_BITS)
_LOW = np.uint64(63)


NO_FIELD = np.empty(0, np.float32)
"""Given where the field is in units already; read-only, since kernels are compiled for one kind of array."""
NO_FIELD.flags.writeable = False


class Marks(NamedTuple):
    """Candidates: one bit a node in ``words``; ``groups`` tells of every group whether it may have any."""

    words: NDArray[np.uint64]
    groups: NDArray[np.uint8]

    @classmethod
    def of(cls, n: int) -> Marks:
        """No marks, for n nodes."""
        return cls(np.zeros((n + 63) >> 6, np.uint64), np.zeros((n - 1 >> GROUP_BITS) + 1, np.uint8))


class Active(NamedTuple):
    """The active nodes of a step, in order within each stripe."""

    rows: NDArray[np.integer]
    """Where each one's row starts."""
    ends: NDArray[np.integer]
    """Contributions of the nodes of its stripe up to and including it."""
    shares: NDArray[np.int64]
    """What it hands to every neighbour."""
    starts: NDArray[np.int64]
    """First place of each stripe."""
    used: NDArray[np.int64]
    """Places of each stripe that are used."""
    bounds: NDArray[np.int64]
    """Contributions of all stripes before each, and of all at the end."""

    @classmethod
    def of(cls, n: int, offset_type: np.dtype[np.integer], parts: int) -> Active:
        """Space for the active ones of n nodes, filled by ``parts`` threads."""
        groups = (n - 1 >> GROUP_BITS) + 1
        starts = np.arange(parts) * groups // parts << GROUP_BITS
        rows, ends = np.empty(n, offset_type), np.empty(n, offset_type)
        return cls(rows, ends, np.empty(n, np.int64), starts, np.zeros(parts, np.int64), np.zeros(parts + 1, int))

    def __len__(self) -> int:
        return int(self.used.sum())

    @property
    def contributions(self) -> int:
        """Contributions of all."""
        return int(self.bounds[-1])


def factors_of(alpha: float) -> NDArray[np.float64]:
    """What a node's value is multiplied with to give its share, by degree: the quotients that a division gives."""
    return alpha / np.maximum(np.arange(FACTORS), 1)


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
def _mark_group(units, threshold, words):
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


@numba.njit(inline="always")
def _list_group(own, offsets, stride, first, words, threshold, alpha, factors, at, rows, ends, shares, end):
    """Turn the candidates of a group, whose nodes start at ``first``, into active ones that have handed on.

    Gives the next free place, the contributions so far, and whether any of them stays active.
    """
    left = np.uint64(0)
    for word in range(words.shape[0]):
        bits = words[word]
        stay = np.uint64(0)
        while bits:
            bit = np.uint64(lowest_bit(bits))  # pyright: ignore[reportCallIssue]
            place = (np.uint64(word) << _SIX) + bit
            node = np.uint64(first) + place
            if stride:
                start, degree = node * np.uint64(4), np.int64(4)
            else:
                start = np.uint64(offsets[node])
                degree = np.int64(np.uint64(offsets[node + _ONE]) - start)
            factor = factors[np.uint64(degree)] if degree < FACTORS else alpha / degree
            unit = own[place]
            active = above(unit, threshold)
            share = np.int64(np.float64(unit) * factor)
            # Written in any case: a branch would wait for the value, and be foreseen badly.
            share = share if active else np.int64(0)
            unit -= share * degree
            own[place] = unit
            end += np.uint64(degree if active else 0)
            rows[np.uint64(at)], ends[np.uint64(at)], shares[np.uint64(at)] = start, end, share
            at += active
            stay |= np.uint64(above(unit, threshold)) << bit
            bits &= bits - _ONE
        words[word] = stay
        left |= stay
    return at, end, left != 0


@compiled()
def _list_stripe(
    field,
    first,
    second,
    units,
    offsets,
    stride,
    words,
    groups,
    start,
    stop,
    fresh,
    threshold,
    alpha,
    factors,
    at,
    rows,
    ends,
    shares,
):
    """List the active nodes of some groups: their number, and their contributions."""
    begin = at
    end = np.uint64(0)
    for group in range(start, stop):
        if fresh or groups[group]:
            own = units[group << GROUP_BITS : (group + 1) << GROUP_BITS]
            some = words[group * GROUP_WORDS : (group + 1) * GROUP_WORDS]
            if fresh:
                values = field[group << GROUP_BITS : (group + 1) << GROUP_BITS]
                for i in range(values.shape[0]):
                    own[i] = cut(values[i], first, second)
                _mark_group(own, threshold, some)
            at, end, groups[group] = _list_group(
                own,
                offsets,
                stride,
                group << GROUP_BITS,
                some,
                threshold,
                alpha,
                factors,
                at,
                rows,
                ends,
                shares,
                end,
            )
    return at - begin, end


@parallel()
def _list_all(
    field,
    first,
    second,
    units,
    offsets,
    stride,
    words,
    groups,
    fresh,
    threshold,
    alpha,
    factors,
    rows,
    ends,
    shares,
    starts,
    used,
    bounds,
):
    stripes, count = starts.shape[0], groups.shape[0]
    for stripe in numba.prange(stripes):
        used[stripe], bounds[stripe + 1] = _list_stripe(
            field,
            first,
            second,
            units,
            offsets,
            stride,
            words,
            groups,
            stripe * count // stripes,
            (stripe + 1) * count // stripes,
            fresh,
            threshold,
            alpha,
            factors,
            starts[stripe],
            rows,
            ends,
            shares,
        )
    for stripe in range(stripes):
        bounds[stripe + 1] += bounds[stripe]


def list_active(
    units: NDArray[np.int64],
    graph: Graph,
    marks: Marks,
    threshold: int,
    alpha: float,
    factors: NDArray[np.float64],
    active: Active,
    field: NDArray[np.floating] = NO_FIELD,
    powers: tuple[float, float] = (1.0, 1.0),
    fresh: bool = False,
) -> None:
    """List the active nodes, subtract their shares, and clear the marks of those that fall below the threshold.

    Only those that are marked are looked at, or with ``fresh`` all; a ``field`` is cut to units first.
    """
    of_graph = graph.offsets, graph.stride
    _list_all(field, *powers, units, *of_graph, *marks, fresh, threshold, alpha, factors, *active)
