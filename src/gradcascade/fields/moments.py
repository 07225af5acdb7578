"""Moments of a field in double precision, without a copy of it, the same for every number of threads."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.probe.fixedpoint import powers
from gradcascade.probe.parallel import compiled, parallel

_BLOCK = 1 << 16
_LANES = 4


@dataclass(frozen=True)
class Moments:
    """Moments of a field divided by ``2**exponent``, so that no power leaves the range of a double."""

    n: int
    exponent: int
    mean: float
    second: float
    """Mean square of the deviations from the mean; ``fourth`` is their mean fourth power."""
    fourth: float


@compiled()
def _powers(values, first, second, mean):
    """Sums of the deviations, their squares and fourth powers, each in four lanes and in a fixed order."""
    sums = np.zeros((3, _LANES))
    full = values.shape[0] // _LANES * _LANES
    for start in range(0, full, _LANES):
        some = values[start : start + _LANES]
        for lane in range(_LANES):
            deviation = np.float64(some[lane]) * first * second - mean
            square = deviation * deviation
            sums[0, lane] += deviation
            sums[1, lane] += square
            sums[2, lane] += square * square
    for i in range(full, values.shape[0]):
        deviation = np.float64(values[i]) * first * second - mean
        square = deviation * deviation
        sums[0, 0] += deviation
        sums[1, 0] += square
        sums[2, 0] += square * square
    return sums.sum(axis=1)


@compiled()
def _largest(values):
    top = values[0] * 0
    for i in range(values.shape[0]):
        top = max(top, abs(values[i]))
    return top


@parallel()
def _largest_all(field, parts):
    n = field.shape[0]
    tops = np.zeros(parts)
    for part in numba.prange(parts):
        tops[part] = _largest(field[part * n // parts : (part + 1) * n // parts])
    return tops.max()


@parallel()
def _sums(field, first, second, mean, parts):
    blocks = (field.shape[0] + _BLOCK - 1) // _BLOCK
    sums = np.zeros((blocks, 3))
    for part in numba.prange(parts):
        for block in range(part * blocks // parts, (part + 1) * blocks // parts):
            sums[block] = _powers(field[block * _BLOCK : (block + 1) * _BLOCK], first, second, mean)
    return sums


def moments(field: NDArray[np.floating], threads: int = 1) -> Moments:
    """Read a field three times: its largest magnitude, its mean, its moments about the mean."""
    n = len(field)
    largest = float(_largest_all(field, min(threads, n)))
    exponent = math.frexp(largest)[1] if 0 < largest < math.inf else 0
    factors = powers(-exponent)
    mean = float(_sums(field, *factors, 0.0, threads)[:, 0].sum()) / n
    _, second, fourth = (_sums(field, *factors, mean, threads).sum(axis=0) / n).tolist()
    return Moments(n, exponent, mean, second, fourth)
