"""The random graph: every node ties itself to two others, drawn uniformly; mean degree 4 and no isolated node.

Distances are drawn, not nodes: node i is tied to i + d modulo n for two different distances d, each uniform in
1 ... h with h = (n - 1) // 2. So no edge comes twice or leads to its own node, and every pair of nodes is equally
likely (but for opposite nodes of an even n, which are never drawn). The second distance is drawn from one value less,
and those from the first on move up by one.
"""

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.probe.hashing import stream_key, uniform
from gradcascade.probe.parallel import parallel

_PURPOSE = 0x5247  # "RG"


@numba.njit(inline="always")
def distances(key, i, least, most):
    """Two different distances in ``least`` ... ``most``: those that the edges of node i draw."""
    counter = np.uint64(i) << np.uint64(1)
    first = least + np.int64(uniform(key, counter) * (most - least + 1))
    second = least + np.int64(uniform(key, counter | np.uint64(1)) * (most - least))
    return first, second + (second >= first)


@parallel()
def _fill(n, key, targets):
    for i in numba.prange(n):
        first, second = distances(key, i, 1, (n - 1) // 2)
        targets[2 * i] = i + first if i + first < n else i + first - n
        targets[2 * i + 1] = i + second if i + second < n else i + second - n


def targets(n: int, m: int, seed: int, threads: int | None = None) -> NDArray[np.int32]:
    """Far end of every edge, in the order of the edges: int32, shape (2 n,)."""
    result = np.empty(2 * n, np.int32)
    _fill(n, stream_key(_PURPOSE, n, seed), result)
    return result
