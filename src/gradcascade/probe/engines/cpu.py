"""The CPU engine: all cores, cost in proportion to the active nodes and their neighbours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cached_property
from typing import Any, ClassVar

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.memory import on_release
from gradcascade.probe.engines import serial
from gradcascade.probe.engines.active import Active, Marks, factors_of, list_active
from gradcascade.probe.engines.filing import Desk
from gradcascade.probe.fixedpoint import Scale, cut, powers
from gradcascade.probe.graph import Graph
from gradcascade.probe.parallel import parallel
from gradcascade.probe.parts import Parts

MANY = 1 << 14
"""From this number of contributions on, a step is done by all threads."""


class _Workspace:
    """Memory of one measurement, kept for the next: allocating anew takes as long as a third of the work."""

    kept: ClassVar[list[_Workspace]] = []
    """At most one. Taking it off a list is a single operation, so two threads of Python cannot both get it."""

    def __init__(self, graph: Graph, threads: int) -> None:
        self.key = graph.n, graph.offsets.dtype, threads
        self.marks = Marks.of(graph.n)
        self.active = Active.of(*self.key)

    @cached_property
    def units(self) -> NDArray[np.int64]:
        """Space for the field in units."""
        return np.empty(self.key[0], np.int64)

    @cached_property
    def desk(self) -> Desk:
        """Space for contributions."""
        return Desk(self.key[0], self.key[-1])

    @classmethod
    def take(cls, graph: Graph, threads: int) -> _Workspace:
        """The workspace that is kept, if it fits, for this caller alone; else a new one."""
        with contextlib.suppress(IndexError):
            kept = cls.kept.pop()
            if kept.key == (graph.n, graph.offsets.dtype, threads):
                return kept
        return cls(graph, threads)

    def give_back(self) -> None:
        """Keep this workspace in place of any other."""
        self.kept[:] = [self]


on_release(_Workspace.kept.clear)


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
    space = _Workspace.take(graph, threads)
    if isinstance(field, Parts):
        start = 0
        for block in field.blocks():
            _cut_block(block, *powers(scale.exponent), space.units[start : start + len(block)], threads)
            start += len(block)
        listed = _steps(space, space.units, graph, scale.threshold, alpha, max_steps)
    else:
        listed = _steps(
            space, space.units, graph, scale.threshold, alpha, max_steps, field=field, powers=powers(scale.exponent)
        )
    activity = [len(active) for active in listed]
    space.give_back()
    return np.array(activity, np.int64)


def steps(
    units: NDArray[np.int64], graph: Graph, threshold: int, alpha: float, max_steps: int, threads: int = 1
) -> Iterator[Active]:
    """Relax ``units`` in place, step by step; yields who was active, as it hands on, until the next is asked for."""
    yield from _steps(_Workspace(graph, threads), units, graph, threshold, alpha, max_steps)


def _steps(
    space: _Workspace,
    units: NDArray[np.int64],
    graph: Graph,
    threshold: int,
    alpha: float,
    max_steps: int,
    **loading: Any,
) -> Iterator[Active]:
    """With ``loading`` a field is cut to units at the first step, else they are there."""
    factors, active, marks = factors_of(alpha), space.active, space.marks
    for step in range(max_steps):
        first = {"fresh": True, **loading} if step == 0 else {}
        list_active(units, graph, marks, threshold, alpha, factors, active, **first)
        if not len(active):
            break
        spread = serial.spread if active.contributions < MANY else space.desk.spread
        spread(units, graph, active, threshold, marks)
        yield active
