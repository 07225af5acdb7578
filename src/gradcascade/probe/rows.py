"""The rows of a graph from the far ends of its edges, on all cores and without random access to memory.

Edges are ordered by the node that brings them. Far ends are partitioned by blocks of nodes that fit into the cache;
then the rows of each block are written at once: the far ends of the node's own edges, then the nodes that tied
themselves to it, ascending. The result does not depend on the number of threads.
"""

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.probe.parallel import parallel
from gradcascade.probe.threads import thread_count

BLOCK_BITS = 16
"""A block holds 2**16 nodes: a megabyte of rows of degree 4."""


@numba.njit(inline="always")
def _first_edge(node, m, star):
    """Number of the first edge that a node brings; its edges end where those of the next node begin."""
    return max(node - 1, 0) if node <= star else m * (node - star)


@parallel()
def _count(targets, n, m, star, bits, parts):
    counts = np.zeros((parts, ((n - 1) >> bits) + 1), np.int64)
    for part in numba.prange(parts):
        own = counts[part]
        for e in range(_first_edge(part * n // parts, m, star), _first_edge((part + 1) * n // parts, m, star)):
            own[targets[e] >> bits] += 1
    return counts


@parallel()
def _partition(targets, n, m, star, bits, cursors, nodes, places):
    """File every edge under the block of its far end: the node that brings it, and the far end's place there."""
    parts = cursors.shape[0]
    mask = (1 << bits) - 1
    for part in numba.prange(parts):
        cursor = cursors[part]
        for node in range(part * n // parts, (part + 1) * n // parts):
            for e in range(_first_edge(node, m, star), _first_edge(node + 1, m, star)):
                target = targets[e]
                at = cursor[target >> bits]
                cursor[target >> bits] = at + 1
                nodes[at] = node
                places[at] = target & mask


@parallel()
def _fill(targets, m, star, bits, starts, nodes, places, offsets, neighbours, parts):
    """Write offsets and rows, block by block."""
    n = offsets.shape[0] - 1
    for part in numba.prange(parts):
        cursor = np.empty(1 << bits, np.int64)
        for block in range(part, starts.shape[0] - 1, parts):
            low = block << bits
            cursor[:] = 0
            for pair in range(starts[block], starts[block + 1]):
                cursor[places[pair]] += 1
            at = _first_edge(low, m, star) + starts[block]
            for node in range(low, min(n, low + (1 << bits))):
                offsets[node] = at
                for e in range(_first_edge(node, m, star), _first_edge(node + 1, m, star)):
                    neighbours[at] = targets[e]
                    at += 1
                at += cursor[node - low]
                cursor[node - low] = at - cursor[node - low]
            for pair in range(starts[block], starts[block + 1]):
                neighbours[cursor[places[pair]]] = nodes[pair]
                cursor[places[pair]] += 1
    offsets[n] = neighbours.shape[0]


def from_targets(
    n: int,
    targets: NDArray[np.int32],
    m: int = 2,
    star: int = 0,
    threads: int | None = None,
    block_bits: int = BLOCK_BITS,
) -> tuple[NDArray[np.integer], NDArray[np.int32]]:
    """Offsets and neighbours from far ends of edges, m a node; with ``star`` = m one for the nodes 1 to m."""
    parts = thread_count(threads)
    counts = _count(targets, n, m, star, block_bits, parts)
    ends = counts.T.ravel().cumsum().reshape(counts.T.shape).T  # block by block, and within a block part by part
    starts = np.append(ends[0] - counts[0], len(targets))
    nodes = np.empty(len(targets), np.int32)
    places = np.empty(len(targets), np.uint16)
    _partition(targets, n, m, star, block_bits, np.ascontiguousarray(ends - counts), nodes, places)
    offsets = np.empty(n + 1, np.uint32 if 2 * len(targets) < 2**32 else np.int64)
    neighbours = np.empty(2 * len(targets), np.int32)
    _fill(targets, m, star, block_bits, starts, nodes, places, offsets, neighbours, parts)
    return offsets, neighbours
