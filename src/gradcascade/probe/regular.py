"""The regular graph: a lattice in two dimensions whose neighbours are computed from the node number.

Node i is tied to i +- 1 and to i +- s modulo n, with s the whole part of the root of n (at least 2): rows of length
s, one under the other, closed into a torus with a twist; the circulant graph C_n(1, s). Every node has degree 4.
There is nothing random in it: the seed changes nothing.
"""

from __future__ import annotations

from math import isqrt

import numba
import numpy as np
from numpy.typing import NDArray

LEAST_NODES = 5
"""Fewer nodes would be tied to one another twice."""


def stride(n: int) -> int:
    """Distance s of the farther neighbours."""
    return max(2, isqrt(n))


@numba.njit(inline="always")
def neighbours_of(i: int, n: int, s: int) -> tuple[int, int, int, int]:
    """The four neighbours of node i of n, for the :func:`stride` s of n; the first two are the edges it brings."""
    return (
        i + 1 if i + 1 < n else i + 1 - n,
        i + s if i + s < n else i + s - n,
        i - 1 if i >= 1 else i - 1 + n,
        i - s if i >= s else i - s + n,
    )


@numba.njit(parallel=True, cache=True)
def _fill(n, s, targets):
    for i in numba.prange(n):
        near, far, _, _ = neighbours_of(i, n, s)
        targets[2 * i] = near
        targets[2 * i + 1] = far


def targets(n: int) -> NDArray[np.int32]:
    """Far end of every edge, in the order of the edges.

    Parameters
    ----------
    n : int
        Number of nodes, at least :data:`LEAST_NODES`.

    Returns
    -------
    numpy.ndarray
        int32, shape (2 n,): of node i at 2 i and 2 i + 1.
    """
    result = np.empty(2 * n, np.int32)
    _fill(n, stride(n), result)
    return result


def reference_targets(n: int) -> NDArray[np.int32]:
    """List :func:`targets` in plain Python: the slow, obvious twin."""
    s = max(2, int(n**0.5))
    return np.array([(i + step) % n for i in range(n) for step in (1, s)], np.int32)
