"""A step with few contributions, by one thread."""

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.probe import regular
from gradcascade.probe.engines.active import Active, Marks, above, mark
from gradcascade.probe.graph import Graph
from gradcascade.probe.parallel import compiled


@numba.njit(inline="always")
def neighbour(neighbours, entry, n, stride):
    """Neighbour number ``entry`` of all rows; computed where stride is not 0 (regular graph), read otherwise."""
    return np.uint32(neighbours[entry]) if stride == 0 else regular.neighbour(entry, n, stride)


@numba.njit(inline="always")
def fits(share, bits):
    """Whether a share is still the same after ``bits`` zeros were set behind it."""
    return (share << bits) >> bits == share


@compiled()
def _spread(units, neighbours, stride, rows, ends, shares, starts, used, threshold, words, groups, every, bits):
    n = units.shape[0]
    for stripe in range(starts.shape[0]):
        begin = np.uint64(0)
        for j in range(starts[stripe], starts[stripe] + used[stripe]):
            end = np.uint64(ends[j])
            if every or not fits(shares[j], bits):
                for step in range(end - begin):
                    node = np.uint64(neighbour(neighbours, np.uint64(rows[j]) + np.uint64(step), n, stride))
                    unit = units[node] + shares[j]
                    units[node] = unit
                    if above(unit, threshold):
                        mark(words, groups, node)
            begin = end


def spread(
    units: NDArray[np.int64], graph: Graph, active: Active, threshold: int, marks: Marks, unfit: int | None = None
) -> None:
    """Add every share to the neighbours, and mark the candidates of the next step.

    With ``unfit`` only the shares that do not fit into 64 bits with so many zeros behind them.
    """
    which = unfit is None, np.int64(unfit or 0)
    listed = active.rows, active.ends, active.shares, active.starts, active.used
    _spread(units, graph.neighbours, graph.stride, *listed, threshold, marks.words, marks.groups, *which)
