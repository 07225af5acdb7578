"""The regular graph C_n(1, s), s the whole part of the root of n: a lattice on a torus, computed and never stored."""

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.probe.parallel import parallel

DEGREE = 4

_ONE = np.uint64(1)
_TWO = np.uint64(2)
_SLOT = np.uint64(3)


@numba.njit(inline="always")
def neighbour(entry: np.uint64, n: int, s: int) -> np.uint32:
    """Neighbour number ``entry % 4`` of node ``entry // 4``, of n nodes whose farther neighbours are s away."""
    slot = entry & _SLOT
    step = np.uint64(s if slot & _ONE else 1)
    node = (entry >> _TWO) + (step if slot < _TWO else np.uint64(n) - step)
    return np.uint32(node if node < np.uint64(n) else node - np.uint64(n))


@parallel()
def _fill(n, s, neighbours):
    for i in numba.prange(n):
        for slot in range(DEGREE):
            neighbours[DEGREE * i + slot] = neighbour(np.uint64(DEGREE * i + slot), n, s)


def rows(n: int, s: int) -> tuple[NDArray[np.integer], NDArray[np.int32]]:
    """Write the rows out, for slow twins and exports: offsets, shape (n + 1,), and neighbours, shape (4 n,)."""
    neighbours = np.empty(DEGREE * n, np.int32)
    _fill(n, s, neighbours)
    return np.arange(0, DEGREE * n + 1, DEGREE, dtype=np.uint32 if DEGREE * n < 2**32 else np.int64), neighbours
