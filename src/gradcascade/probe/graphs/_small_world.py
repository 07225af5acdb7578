"""The small world: the ring, with a share p of its edges led elsewhere (Watts and Strogatz, 1998; k = 4).

Node i brings the edges to i + 1 and i + 2, modulo n. Each is led elsewhere with probability p: it keeps node i, and
its other end becomes i + d with d uniform in 3 ... h, h = (n - 1) // 2, different for the two edges of a node. So no
edge can come twice, nor lead to its own node, nor stand in for an edge of the ring; only one end of a pair can draw
it, and all pairs at these distances are equally likely (opposite nodes of an even ring are never drawn). Watts and
Strogatz draw from both sides, and again if an edge exists; that differs only in what the two shortcuts of one node
have to do with each other.

The edges 2 i and 2 i + 1 decide with the random numbers of those counters in one stream and draw their distances,
as in the random graph, with those of another. So every edge is found from the counters alone.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.probe.graphs._random_graph import distances
from gradcascade.probe.hashing import stream_key, uniform
from gradcascade.probe.parallel import parallel

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
    """Far end of every edge, in the order of the edges: int32, shape (2 n,).

    Graphs of one seed are nested: edges that a smaller p leads elsewhere, a larger p leads there too.
    """
    result = np.empty(2 * n, np.int32)
    _fill(n, p, stream_key(_DECISION, n, seed), stream_key(_DISTANCE, n, seed), result)
    return result
