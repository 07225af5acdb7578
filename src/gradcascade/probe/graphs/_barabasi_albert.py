"""The Barabasi-Albert graph, drawn so that every edge can be found without the edges before it.

Nodes 1 ... m are tied to node 0 (a star). Every later node is tied to m *different* earlier nodes, each drawn as a
uniformly chosen endpoint of the edges that existed before the node came (preferential attachment; Barabasi and
Albert, 1999). Edge ``e`` draws with the random number of counter (e, attempt), so a smaller graph is the beginning of
a larger one.

Endpoint ``r`` of the earlier edges is the later node of edge ``r // 2`` if r is even, its earlier node if r is odd.
The earlier node of an edge can be found by repeating the draw for that edge (Sanders and Schulz, arXiv:1602.07106),
so edges are drawn in parallel, in rounds: edges of earlier rounds are looked up, those of the same round repeated.
"""

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.probe.hashing import stream_key, uniform
from gradcascade.probe.parallel import compiled, parallel
from gradcascade.probe.threads import thread_count

_PURPOSE = 0x4241  # "BA"
_ATTEMPT_BITS = 24
_BATCH = 128
_ROUND = 4096


def graph_key(m: int, seed: int) -> np.uint64:
    """Key of the random stream of this graph."""
    return stream_key(_PURPOSE, m, seed)


@numba.njit(inline="always")
def _group(edge, m):
    """``edge // m``, without a division where m = 2."""
    return edge >> 1 if m == 2 else edge // m


@numba.njit(inline="always")
def _endpoint(key, edge, attempt, m):
    """Endpoint number drawn by ``edge`` among the 2 m (i - m) endpoints that exist when its node i arrives."""
    counter = (np.uint64(edge) << np.uint64(_ATTEMPT_BITS)) | np.uint64(attempt)
    return np.int64(uniform(key, counter) * (2 * m * _group(edge, m)))


@numba.njit(inline="always")
def _later_node(edge, m):
    """Node that came with ``edge``."""
    return edge + 1 if edge < m else _group(edge, m) + m


@compiled("int64(uint64, int64, int64)")
def _earlier_node(key, edge, m):
    """Node that ``edge`` chose, from the random numbers alone."""
    while edge >= m and edge % m == 0:  # the first edge of a node has no siblings to avoid
        r = _endpoint(key, edge, 0, m)
        if r & 1 == 0:
            return _later_node(r >> 1, m)
        edge = r >> 1
    if edge < m:
        return 0
    attempt = 0
    while True:
        r = _endpoint(key, edge, attempt, m)
        node = _later_node(r >> 1, m) if r & 1 == 0 else _earlier_node(key, r >> 1, m)
        fresh = True
        for sibling in range(edge - edge % m, edge):
            if _earlier_node(key, sibling, m) == node:
                fresh = False
        if fresh:
            return node
        attempt += 1


@numba.njit(inline="always")
def _node_of(key, r, m):
    """Node at endpoint ``r``."""
    return _later_node(r >> 1, m) if r & 1 == 0 else _earlier_node(key, r >> 1, m)


@compiled()
def _draw_groups(key, m, targets, settled, start, stop):
    """Draw edges ``start`` to ``stop``, in batches so that look-ups of edges before ``settled`` overlap."""
    ends = np.empty(_BATCH, np.int64)
    found = np.empty(_BATCH, np.int32)
    for first in range(start, stop, _BATCH):
        count = min(_BATCH, stop - first)
        for k in range(count):
            ends[k] = _endpoint(key, first + k, 0, m)
        for k in range(count):
            edge = ends[k] >> 1
            found[k] = targets[edge * np.int64((ends[k] & 1 != 0) & (edge < settled))]
        for k in range(count):
            e = first + k
            r = ends[k]
            attempt = 0
            node = np.int64(found[k]) if r & 1 and r >> 1 < settled else _node_of(key, r, m)
            while m == 2 and e & 1 and node == targets[e - 1]:
                attempt += 1
                node = _node_of(key, _endpoint(key, e, attempt, m), m)
            targets[e] = node


@parallel("void(uint64, int64, int32[::1], int64)")
def _draw_targets(key, m, targets, parts):
    """Earlier node of every edge on all cores, for m of 1 or 2: repeating a draw takes few steps there."""
    settled = m
    targets[:m] = 0
    while settled < targets.shape[0]:
        groups = min(max(_ROUND, settled // (8 * m)), (targets.shape[0] - settled) // m)
        for part in numba.prange(parts):
            start = settled + part * groups // parts * m
            _draw_groups(key, m, targets, settled, start, settled + (part + 1) * groups // parts * m)
        settled += groups * m


@compiled("void(uint64, int64, int32[::1])")
def _lookup_targets(key, m, targets):
    """Earlier node of every edge in turn, looking earlier edges up, for any m."""
    for e in range(targets.shape[0]):
        targets[e] = 0
        attempt = 0
        while e >= m:
            r = _endpoint(key, e, attempt, m)
            node = _later_node(r >> 1, m) if r & 1 == 0 else np.int64(targets[r >> 1])
            fresh = True
            for sibling in range(e - e % m, e):
                if targets[sibling] == node:
                    fresh = False
            if fresh:
                targets[e] = node
                break
            attempt += 1


def targets(n: int, m: int, seed: int, threads: int | None = None) -> NDArray[np.int32]:
    """Earlier node of every edge, in the order of the edges: int32, shape (m (n - m),)."""
    result = np.empty(m * (n - m), np.int32)
    key = graph_key(m, seed)
    if m <= 2:
        _draw_targets(key, m, result, thread_count(threads))
    else:  # the cost of repeating a draw grows quickly with the number of siblings
        _lookup_targets(key, m, result)
    return result
