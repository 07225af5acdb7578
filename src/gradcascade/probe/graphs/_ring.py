"""The ring: node i brings the edges to i + 1 and i + 2, modulo n. Nothing is random, so the seed changes nothing."""

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.probe.parallel import parallel


@parallel()
def _fill(n, targets):
    for i in numba.prange(n):
        targets[2 * i] = i + 1 if i + 1 < n else i + 1 - n
        targets[2 * i + 1] = i + 2 if i + 2 < n else i + 2 - n


def targets(n: int, m: int, seed: int, threads: int | None = None) -> NDArray[np.int32]:
    """Far end of every edge, in the order of the edges: int32, shape (2 n,)."""
    result = np.empty(2 * n, np.int32)
    _fill(n, result)
    return result
