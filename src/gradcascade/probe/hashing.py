"""Random numbers that are a pure function of (key, counter), mixed by SplitMix64 (Steele, Lea and Flood, 2014)."""

from operator import index
from typing import SupportsIndex

import numba
import numpy as np
from numpy.typing import NDArray

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
M1 = np.uint64(0xBF58476D1CE4E5B9)
M2 = np.uint64(0x94D049BB133111EB)
_S30 = np.uint64(30)
_S27 = np.uint64(27)
_S31 = np.uint64(31)
_S11 = np.uint64(11)
_UNIT = 2.0**-53


@numba.njit(inline="always")
def mix(x: np.uint64) -> np.uint64:
    """Scramble 64 bits; every output bit depends on every input bit."""
    x = (x ^ (x >> _S30)) * M1
    x = (x ^ (x >> _S27)) * M2
    return x ^ (x >> _S31)


@numba.njit(inline="always")
def uniform(key: np.uint64, counter: np.uint64) -> float:
    """Uniform double in [0, 1) number ``counter`` of the stream ``key``: a multiple of 2**-53."""
    return float(mix(key + GOLDEN * (counter + np.uint64(1))) >> _S11) * _UNIT


def mix_array(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """:func:`mix` over an array (the plain NumPy twin)."""
    x = (x ^ (x >> _S30)) * M1
    x = (x ^ (x >> _S27)) * M2
    return x ^ (x >> _S31)


def stream_key(*parts: SupportsIndex) -> np.uint64:
    """Derive the key of an independent stream from integers such as (purpose, seed, n)."""
    key = np.zeros(1, np.uint64)
    for part in parts:
        word = np.array([index(part) & 0xFFFFFFFFFFFFFFFF], np.uint64)
        key = mix_array((key ^ word) + GOLDEN)
    return key[0]
