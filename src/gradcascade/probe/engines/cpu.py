"""The CPU engine: all cores, cost in proportion to the active nodes and their neighbours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cached_property
from typing import ClassVar

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.memory import on_release
from gradcascade.probe.engines import serial
from gradcascade.probe.engines.active import (
    GROUP_BITS,
    GROUP_WORDS,
    Active,
    Marks,
    mark_active,
    mark_group,
    take_active,
)
from gradcascade.probe.engines.filing import Desk
from gradcascade.probe.fixedpoint import Scale, cut, powers
from gradcascade.probe.graph import Graph
from gradcascade.probe.parallel import compiled, parallel
from gradcascade.probe.parts import Parts

MANY = 1 << 14
"""From this number of contributions on, a step is done by all threads."""


class _Workspace:
    """Memory of one measurement, kept for the next: allocating anew takes as long as a third of the work."""

    kept: ClassVar[list[_Workspace]] = []
    """At most one. Taking it off a list is a single operation, so two threads of Python cannot both get it."""

    def __init__(self, n: int, threads: int) -> None:
        self.n = n
        self.threads = threads
        self.marks = Marks.of(n)

    @cached_property
    def units(self) -> NDArray[np.int64]:
        """Space for the field in units."""
        return np.empty(self.n, np.int64)

    @cached_property
    def desk(self) -> Desk:
        """Space for contributions."""
        return Desk(self.n, self.threads)

    @classmethod
    def take(cls, n: int, threads: int) -> _Workspace:
        """The workspace that is kept, if it fits, for this caller alone; else a new one."""
        with contextlib.suppress(IndexError):
            kept = cls.kept.pop()
            if (kept.n, kept.threads) == (n, threads):
                return kept
        return cls(n, threads)

    def give_back(self) -> None:
        """Keep this workspace in place of any other."""
        self.kept[:] = [self]


on_release(_Workspace.kept.clear)


@compiled()
def _load_groups(field, first, second, threshold, units, words, groups, start, stop):
    for group in range(start, stop):
        values = field[group << GROUP_BITS : (group + 1) << GROUP_BITS]
        own = units[group << GROUP_BITS : (group + 1) << GROUP_BITS]
        for i in range(values.shape[0]):
            own[i] = cut(values[i], first, second)
        groups[group] = mark_group(own, threshold, words[group * GROUP_WORDS : (group + 1) * GROUP_WORDS])


@parallel()
def _load(field, first, second, threshold, units, words, groups, parts):
    """Cut a field to fixed-point units and mark its active nodes, group by group."""
    count = groups.shape[0]
    for part in numba.prange(parts):
        start, stop = part * count // parts, (part + 1) * count // parts
        _load_groups(field, first, second, threshold, units, words, groups, start, stop)


@parallel()
def _cut_block(values, first, second, units, parts):
    """Cut a piece of a field to fixed-point units."""
    count = values.shape[0]
    for part in numba.prange(parts):
        for i in range(part * count // parts, (part + 1) * count // parts):
            units[i] = cut(values[i], first, second)


def measure(
    field: NDArray[np.floating] | Parts, scale: Scale, graph: Graph, alpha: float, max_steps: int, threads: int = 1
) -> NDArray[np.int64]:
    """Cut a field to units and relax it: its activity, as :func:`gradcascade.probe.engines.reference.relax`."""
    space = _Workspace.take(graph.n, threads)
    if isinstance(field, Parts):
        start = 0
        for block in field.blocks():
            _cut_block(block, *powers(scale.exponent), space.units[start : start + len(block)], threads)
            start += len(block)
        mark_active(space.units, scale.threshold, *space.marks, threads)
    else:
        _load(field, *powers(scale.exponent), scale.threshold, space.units, *space.marks, threads)
    activity = [len(active) for active in _steps(space, space.units, graph, scale.threshold, alpha, max_steps)]
    space.give_back()
    return np.array(activity, np.int64)


def steps(
    units: NDArray[np.int64], graph: Graph, threshold: int, alpha: float, max_steps: int, threads: int = 1
) -> Iterator[Active]:
    """Relax ``units`` in place, step by step; yields who was active, as it hands on."""
    space = _Workspace(graph.n, threads)
    mark_active(units, threshold, *space.marks, threads)
    yield from _steps(space, units, graph, threshold, alpha, max_steps)


def _steps(
    space: _Workspace, units: NDArray[np.int64], graph: Graph, threshold: int, alpha: float, max_steps: int
) -> Iterator[Active]:
    marks = space.marks
    for _ in range(max_steps):
        active = take_active(units, graph.offsets, graph.stride, marks, threshold, alpha, space.threads)
        if not len(active):
            break
        spread = serial.spread if active.contributions < MANY else space.desk.spread
        spread(units, graph.neighbours, graph.stride, active, threshold, marks)
        yield active
