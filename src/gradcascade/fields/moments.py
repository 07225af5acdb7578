"""Moments of a field in double precision, without a copy of it, the same for every number of threads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

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
    constant: bool
    """Whether all entries are equal."""
    exponent: int
    mean: float
    second: float
    """Mean square of the deviations from the mean; ``fourth`` is their mean fourth power."""
    fourth: float


@compiled()
def _extremes_of(words, sign, below):
    """The least and the largest number, as integers of the same order, which are compared many at once."""
    least = largest = words[0] ^ ((words[0] >> sign) & below)
    for i in range(words.shape[0]):
        ordered = words[i] ^ ((words[i] >> sign) & below)
        least, largest = min(least, ordered), max(largest, ordered)
    return least, largest


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
def _sum(values, first, second):
    """The first of the sums that :func:`_powers` gives about a mean of zero."""
    sums = np.zeros(_LANES)
    full = values.shape[0] // _LANES * _LANES
    for start in range(0, full, _LANES):
        some = values[start : start + _LANES]
        for lane in range(_LANES):
            sums[lane] += np.float64(some[lane]) * first * second
    for i in range(full, values.shape[0]):
        sums[0] += np.float64(values[i]) * first * second
    return sums.sum()


@parallel()
def _extremes_all(words, sign, below, parts) -> Any:
    n = words.shape[0]
    found = np.empty((parts, 2), words.dtype)
    for part in numba.prange(parts):
        found[part] = _extremes_of(words[part * n // parts : (part + 1) * n // parts], sign, below)
    return found


@parallel()
def _sum_all(field, first, second, parts):
    blocks = (field.shape[0] + _BLOCK - 1) // _BLOCK
    sums = np.zeros(blocks)
    for part in numba.prange(parts):
        for block in range(part * blocks // parts, (part + 1) * blocks // parts):
            sums[block] = _sum(field[block * _BLOCK : (block + 1) * _BLOCK], first, second)
    return sums


@parallel()
def _sums(field, first, second, mean, parts):
    blocks = (field.shape[0] + _BLOCK - 1) // _BLOCK
    sums = np.zeros((blocks, 3))
    for part in numba.prange(parts):
        for block in range(part * blocks // parts, (part + 1) * blocks // parts):
            sums[block] = _powers(field[block * _BLOCK : (block + 1) * _BLOCK], first, second, mean)
    return sums


def extremes(field: NDArray[np.floating], threads: int = 1) -> tuple[float, float]:
    """The least and the largest entry; of a field with NaN one of them is NaN."""
    words = field.view(np.int32 if field.dtype == np.float32 else np.int64)
    kind, bits = words.dtype.type, 8 * words.itemsize
    below = np.iinfo(kind).max
    found = _extremes_all(words, kind(bits - 1), kind(below), min(threads, len(words)))
    numbers = (found ^ ((found >> (bits - 1)) & below)).view(field.dtype)
    return float(numbers[:, 0].min()), float(numbers[:, 1].max())


def moments(field: NDArray[np.floating], threads: int = 1) -> Moments:
    """Read a field three times: its largest magnitude, its mean, its moments about the mean."""
    n = len(field)
    least, most = extremes(field, threads)
    largest = max(most, -least)
    exponent = math.frexp(largest)[1] if 0 < largest < math.inf else 0
    factors = powers(-exponent)
    mean = float(_sum_all(field, *factors, threads).sum()) / n
    _, second, fourth = (_sums(field, *factors, mean, threads).sum(axis=0) / n).tolist()
    return Moments(n, least == most, exponent, mean, second, fourth)
