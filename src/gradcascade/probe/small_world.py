"""The small world: the ring, with a share p of its edges led elsewhere (Watts and Strogatz, 1998; k = 4).

Node i brings the edges to i + 1 and i + 2, modulo n. Each is led elsewhere with probability p: it keeps node i, and
its other end becomes i + d with d uniform in 3 ... h, h = (n - 1) // 2, different for the two edges of a node. So no
edge can come twice, nor lead to its own node, nor stand in for an edge of the ring; only one end of a pair can draw
it, and all pairs at these distances are equally likely (opposite nodes of an even ring are never drawn). Watts and
Strogatz draw from both sides, and again if an edge exists; that differs only in what the two shortcuts of one node
have to do with each other.

The edges 2 i and 2 i + 1 decide with the random numbers of those counters in one stream and draw their distances,
as in :mod:`gradcascade.probe.random_graph`, with those of another. So every edge is found from the counters alone.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.probe.hashing import stream_key, uniform, uniform_array
from gradcascade.probe.parallel import parallel
from gradcascade.probe.random_graph import distances

LEAST_NODES = 9
"""With fewer nodes there are no two distances to choose beyond the ring's own."""

_DECISION = 0x5357  # "SW"
_DISTANCE = 0x5344  # "SD"


@parallel()
def _fill(n, p, decisions, draws, targets):
    for i in numba.prange(n):
        near, far = distances(draws, i, 3, (n - 1) // 2)
        counter = np.uint64(i) << np.uint64(1)
        first = i + near if uniform(decisions, counter) < p else i + 1
        second = i + far if uniform(decisions, counter | np.uint64(1)) < p else i + 2
        targets[2 * i] = first if first < n else first - n
        targets[2 * i + 1] = second if second < n else second - n


def targets(n: int, p: float, seed: int) -> NDArray[np.int32]:
    """Far end of every edge, in the order of the edges.

    Parameters
    ----------
    n : int
        Number of nodes, at least :data:`LEAST_NODES`.
    p : float
        Probability that an edge is led elsewhere.
    seed : int
        Topology seed. Graphs of one seed are nested: what a smaller p leads elsewhere, a larger one leads there too.

    Returns
    -------
    numpy.ndarray
        int32, shape (2 n,): of node i at 2 i and 2 i + 1.
    """
    result = np.empty(2 * n, np.int32)
    _fill(n, p, stream_key(_DECISION, n, seed), stream_key(_DISTANCE, n, seed), result)
    return result


def reference_targets(n: int, p: float, seed: int) -> NDArray[np.int32]:
    """Draw :func:`targets` in plain Python: the slow, obvious twin."""
    counters = np.arange(2 * n, dtype=np.uint64)
    decisions = uniform_array(stream_key(_DECISION, n, seed), counters).tolist()
    draws = uniform_array(stream_key(_DISTANCE, n, seed), counters).tolist()
    result: list[int] = []
    for i in range(n):
        choice = list(range(3, (n - 1) // 2 + 1))
        for edge, step in ((2 * i, 1), (2 * i + 1, 2)):
            elsewhere = choice.pop(int(draws[edge] * len(choice)))
            result.append((i + (elsewhere if decisions[edge] < p else step)) % n)
    return np.array(result, np.int32)
