"""Statistics of a field that are stored with its cascade."""

from __future__ import annotations

import hashlib

import numba
import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 16


@numba.njit(parallel=True, cache=True)
def _moments(field, mean):
    """Second and fourth powers of the deviations, summed block by block so that threads change nothing."""
    n = field.shape[0]
    blocks = (n + _BLOCK - 1) // _BLOCK
    second = np.zeros(blocks)
    fourth = np.zeros(blocks)
    for block in numba.prange(blocks):
        for i in range(block * _BLOCK, min(n, (block + 1) * _BLOCK)):
            square = (np.float64(field[i]) - mean) ** 2
            second[block] += square
            fourth[block] += square * square
    return second.sum(), fourth.sum()


def kurtosis(field: NDArray[np.floating]) -> float:
    """Fourth central moment over the squared variance (Pearson's definition: 3 for a normal field).

    Parameters
    ----------
    field : numpy.ndarray
        float32 or float64, shape (N,), finite.

    Returns
    -------
    float
        NaN for a constant field, whose kurtosis is undefined.
    """
    largest = float(np.max(np.abs(field), initial=0))
    if largest == 0:
        return float("nan")
    scaled = field / field.dtype.type(largest)  # squares of tiny or huge entries would leave the range of a double
    second, fourth = _moments(scaled, float(np.mean(scaled, dtype=np.float64)))
    return len(field) * fourth / second**2 if second > 0 else float("nan")


def content_hash(field: NDArray[np.floating]) -> str:
    """Thirty-two hexadecimal digits of SHA-256 over the type and the bytes of a field."""
    digest = hashlib.sha256(f"{field.dtype.str}:".encode())
    digest.update(np.ascontiguousarray(field).view(np.uint8).data)
    return digest.hexdigest()[:32]
