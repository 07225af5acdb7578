"""The small world: the ring, with a share p of its edges led elsewhere (Watts and Strogatz, 1998; k = 4).

Node i brings the edges to i + 1 and i + 2, modulo n. With probability p an edge leads to i + d instead, with d
uniform in 3 ... h, h = (n - 1) // 2, and different for the two edges of a node. So no edge comes twice, leads to its
own node, or repeats an edge of the ring. Watts and Strogatz draw from both sides, and again if an edge exists; that
differs only in how the two shortcuts of one node depend on each other.
"""

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


def targets(n: int, m: int, seed: int, threads: int | None, p: float) -> NDArray[np.int32]:
    """Far end of every edge: int32, shape (2 n,). Edges that a smaller p leads elsewhere, a larger p does too."""
    result = np.empty(2 * n, np.int32)
    _fill(n, p, stream_key(_DECISION, n, seed), stream_key(_DISTANCE, n, seed), result)
    return result
