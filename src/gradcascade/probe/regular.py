"""The regular graph: a lattice in two dimensions whose neighbours are computed from the node number.

Node i is tied to i +- 1 and to i +- s modulo n, with s the whole part of the root of n (at least 2): rows of length
s, one under the other, closed into a torus with a twist; the circulant graph C_n(1, s). Every node has degree 4.
There is nothing random in it, so the seed changes nothing, and nothing to store: it serves fields that are too large
for any stored graph.
"""

from __future__ import annotations

from math import isqrt

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.probe.parallel import parallel

DEGREE = 4
LEAST_NODES = 5
"""Fewer nodes would be tied to one another twice."""


_ONE = np.uint64(1)
_TWO = np.uint64(2)
_SLOT = np.uint64(3)


def stride(n: int) -> int:
    """Distance s of the farther neighbours."""
    return max(2, isqrt(n))


@numba.njit(inline="always")
def neighbour(entry: np.uint64, n: int, s: int) -> np.uint32:
    """Neighbour number ``entry % 4`` of node ``entry // 4``, of n nodes with the :func:`stride` s."""
    slot = entry & _SLOT
    step = np.uint64(s if slot & _ONE else 1)
    node = (entry >> _TWO) + (step if slot < _TWO else np.uint64(n) - step)
    return np.uint32(node if node < np.uint64(n) else node - np.uint64(n))


@parallel()
def _fill(n, s, neighbours):
    for i in numba.prange(n):
        for slot in range(DEGREE):
            neighbours[DEGREE * i + slot] = neighbour(np.uint64(DEGREE * i + slot), n, s)


def rows(n: int) -> tuple[NDArray[np.integer], NDArray[np.int32]]:
    """Write the rows out, which nothing but the slower twins and exports needs.

    Parameters
    ----------
    n : int
        Number of nodes, at least :data:`LEAST_NODES`.

    Returns
    -------
    offsets : numpy.ndarray
        uint32 (int64 where 4 n does not fit), shape (n + 1,).
    neighbours : numpy.ndarray
        int32, shape (4 n,): of node i at 4 i ... 4 i + 3.
    """
    neighbours = np.empty(DEGREE * n, np.int32)
    _fill(n, stride(n), neighbours)
    return np.arange(0, DEGREE * n + 1, DEGREE, dtype=np.uint32 if DEGREE * n < 2**32 else np.int64), neighbours


def reference_rows(n: int) -> list[list[int]]:
    """List the neighbours of every node in plain Python: the slow, obvious twin."""
    s = max(2, int(n**0.5))
    return [[(i + step) % n for step in (1, s, -1, -s)] for i in range(n)]
