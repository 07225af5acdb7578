"""The ring: every node is tied to the two nearest on either side, as dense as a Barabasi-Albert graph of m = 2.

Node i brings the edges to i + 1 and i + 2, modulo n. There is nothing random in it: the seed changes nothing.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.probe.parallel import parallel

LEAST_NODES = 5
"""Fewer nodes would be tied to one another twice."""


@parallel()
def _fill(n, targets):
    for i in numba.prange(n):
        targets[2 * i] = i + 1 if i + 1 < n else i + 1 - n
        targets[2 * i + 1] = i + 2 if i + 2 < n else i + 2 - n


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
    _fill(n, result)
    return result


def reference_targets(n: int) -> NDArray[np.int32]:
    """List :func:`targets` in plain Python: the slow, obvious twin."""
    return np.array([(i + step) % n for i in range(n) for step in (1, 2)], np.int32)
