"""The threshold: the exact quantile of the magnitudes, found by counting, without a sort or a copy of the field.

Magnitudes of floating-point numbers are ordered like the integers that store them, so the order statistics come
from histograms of their bits, 16 at a time: a float32 field is read twice, a float64 field four times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.probe.hashing import mix_array, stream_key
from gradcascade.probe.machine import lowest_bit

SUBSAMPLE = 10_000_000
"""Magnitudes in the published subsample (arXiv:2605.02968), drawn when a field has more entries than this."""

_BITS = 16
_BINS = 1 << _BITS
_BLOCK = 4096
_ONE = np.uint64(1)
_PURPOSE = 0x5155  # "QU"


@dataclass(frozen=True)
class Magnitudes:
    """What one reading of a field tells about its magnitudes.

    Attributes
    ----------
    histogram : numpy.ndarray
        int64, shape (65536,): entries by the leading 16 bits of their magnitude (exponent and some fraction).
    largest : float
        Largest magnitude.
    zeros : int
        Number of entries that are exactly zero.
    sum_exponent : int
        The sum of the magnitudes is below ``2**sum_exponent``, which is at most four times the sum where no entry
        is subnormal. It is found from counts, so it is the same on every machine and for every number of threads.
    """

    histogram: NDArray[np.int64]
    largest: float
    zeros: int
    sum_exponent: int


def _words(field: NDArray[np.floating]) -> tuple[NDArray[np.unsignedinteger], int]:
    """Bit patterns of a float32 or float64 field, and their width."""
    return (field.view(np.uint32), 32) if field.dtype == np.float32 else (field.view(np.uint64), 64)


@numba.njit(inline="always")
def _key(word, width):
    """Magnitude bits, moved to the left end of the word (the sign is shifted out)."""
    key = np.uint64(word) << _ONE
    return key & np.uint64(0xFFFFFFFF) if width == 32 else key


@numba.njit(cache=True)
def _survey(words, width, counts):
    """Count leading bits; the largest key and the number of zeros. Two loops, of which the second is vectorised."""
    top = np.uint64(0)
    zeros = 0
    shift = np.uint64(width - _BITS - 1)
    low = np.uint64(_BINS - 1)
    for start in range(0, words.shape[0], _BLOCK):
        block = words[start : start + _BLOCK]
        for i in range(block.shape[0]):
            counts[np.uint64(block[i]) >> shift & low] += np.uint32(1)
        for i in range(block.shape[0]):
            key = _key(block[i], width)
            top = max(top, key)
            zeros += key == np.uint64(0)
    return top, zeros


@numba.njit(parallel=True, cache=True)
def _count_leading(words, width, parts):
    n = words.shape[0]
    counts = np.zeros((parts, _BINS), np.uint32)
    largest = np.zeros(parts, np.uint64)
    zeros = np.zeros(parts, np.int64)
    for part in numba.prange(parts):
        own = words[part * n // parts : (part + 1) * n // parts]
        largest[part], zeros[part] = _survey(own, width, counts[part])
    return counts.astype(np.int64).sum(axis=0), largest.max(), zeros.sum()


@numba.njit(cache=True)
def _following(words, width, prefix, shift, counts):
    """Count the 16 bits above ``shift`` of the entries whose higher bits are ``prefix``, which few entries have."""
    low = np.uint64(_BINS - 1)
    for start in range(0, words.shape[0], 64):
        block = words[start : start + 64]
        found = np.uint64(0)
        for i in range(block.shape[0]):
            found |= np.uint64(_key(block[i], width) >> shift >> np.uint64(_BITS) == prefix) << np.uint64(i)
        while found:
            i = lowest_bit(found)  # pyright: ignore[reportCallIssue]
            counts[_key(block[i], width) >> shift & low] += np.uint32(1)
            found &= found - _ONE


@numba.njit(parallel=True, cache=True)
def _count_following(words, width, prefix, shift, parts):
    n = words.shape[0]
    counts = np.zeros((parts, _BINS), np.uint32)
    for part in numba.prange(parts):
        _following(words[part * n // parts : (part + 1) * n // parts], width, prefix, shift, counts[part])
    return counts.astype(np.int64).sum(axis=0)


@numba.njit(parallel=True, cache=True)
def _least_above(words, width, key, parts):
    n = words.shape[0]
    least = np.full(parts, np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64)
    for part in numba.prange(parts):
        for i in range(part * n // parts, (part + 1) * n // parts):
            other = _key(words[i], width)
            if other > key and other < least[part]:
                least[part] = other
    return least.min()


def _value(key: int, width: int) -> float:
    """Magnitude that a key stands for."""
    word = np.array([key >> 1], np.uint32 if width == 32 else np.uint64)
    return float(word.view(np.float32 if width == 32 else np.float64)[0])


def survey(field: NDArray[np.floating], threads: int = 1) -> Magnitudes:
    """Read the field once: histogram of the magnitudes, largest, zeros; refuse what is not finite.

    Parameters
    ----------
    field : numpy.ndarray
        float32 or float64, shape (N,), contiguous.
    threads : int
        Number of parts that are read at the same time.

    Returns
    -------
    Magnitudes

    Raises
    ------
    InputError
        If entries are NaN or infinite: how many, and where the first one is.
    """
    words, width = _words(field)
    histogram, largest, zeros = _count_leading(words, width, threads)
    exponent_bits, bias = (8, 127) if width == 32 else (11, 1023)
    if histogram[((1 << exponent_bits) - 1) << (_BITS - exponent_bits) :].any():
        bad = ~np.isfinite(field)
        first = int(np.argmax(bad))
        raise InputError(
            f"the field has {int(bad.sum()):,} of {len(field):,} entries that are NaN or infinite (the first, "
            f"{field[first]}, at index {first}); measure a snapshot without them"
        )
    exponent = _sum_exponent(histogram, int(zeros), _BITS - exponent_bits, bias)
    return Magnitudes(histogram, _value(int(largest), width), int(zeros), exponent)


def _sum_exponent(histogram: NDArray[np.int64], zeros: int, fraction_bits: int, bias: int) -> int:
    """Bound the sum of the magnitudes by the upper edges of their bins, in exact integers."""
    total = -zeros
    for digit in np.flatnonzero(histogram).tolist():
        exponent, fraction = divmod(digit, 1 << fraction_bits)
        edge = fraction + 1 if exponent == 0 else ((1 << fraction_bits) + fraction + 1) << (exponent - 1)
        total += int(histogram[digit]) * edge
    return total.bit_length() + 1 - bias - fraction_bits


def order_statistics(
    field: NDArray[np.floating], rank: int, magnitudes: Magnitudes, threads: int = 1
) -> tuple[float, float]:
    """Magnitudes of rank ``rank`` and ``rank + 1`` (counted from 0), exactly.

    Parameters
    ----------
    field : numpy.ndarray
        float32 or float64, shape (N,), contiguous and finite.
    rank : int
        At least 0 and at most N - 2.
    magnitudes : Magnitudes
        What :func:`survey` found.
    threads : int
        Number of parts that are read at the same time.
    """
    words, width = _words(field)
    histogram, below, prefix, shift = magnitudes.histogram, 0, 0, width - _BITS
    while True:
        reached = below + np.cumsum(histogram)
        digit = int(np.searchsorted(reached, rank, side="right"))
        prefix = prefix << _BITS | digit
        if shift == 0:
            break
        below = int(reached[digit] - histogram[digit])
        shift -= _BITS
        histogram = _count_following(words, width, np.uint64(prefix), np.uint64(shift), threads)
    if reached[digit] > rank + 1:
        following = prefix
    elif (beyond := np.flatnonzero(histogram[digit + 1 :])).size:
        following = prefix + 1 + int(beyond[0])
    else:
        following = int(_least_above(words, width, np.uint64(prefix), threads))
    return _value(prefix, width), _value(following, width)


def quantile(field: NDArray[np.floating], q: float, magnitudes: Magnitudes | None = None, threads: int = 1) -> float:
    """Empirical q-quantile of the magnitudes with linear interpolation, exactly.

    The same definition as ``numpy.quantile(abs(field), q)``, evaluated in double precision.

    Parameters
    ----------
    field : numpy.ndarray
        float32 or float64, shape (N,), contiguous, N >= 2.
    q : float
        Between 0 and 1, both excluded.
    magnitudes : Magnitudes, optional
        What :func:`survey` found, if it is at hand.
    threads : int
        Number of parts that are read at the same time.

    Returns
    -------
    float
    """
    position = q * (len(field) - 1)
    rank = min(int(position), len(field) - 2)
    low, high = order_statistics(field, rank, magnitudes or survey(field, threads), threads)
    return interpolate(low, high, position - rank)


def interpolate(low: float, high: float, fraction: float) -> float:
    """Point between two order statistics; from the nearer end, as NumPy does, so that it never leaves them."""
    gap = high - low
    return low + gap * fraction if fraction < 0.5 else high - gap * (1 - fraction)


def subsample(field: NDArray[np.floating], seed: int, size: int = SUBSAMPLE) -> NDArray[np.floating]:
    """Draw entries uniformly with replacement, as a function of (seed, N) alone.

    Parameters
    ----------
    field : numpy.ndarray
        Shape (N,).
    seed : int
        Seed of the draw.
    size : int
        Number of entries; a field that has no more than this is returned as it is.

    Returns
    -------
    numpy.ndarray
        Shape (min(size, N),).
    """
    if len(field) <= size:
        return field
    counters = np.arange(1, size + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    words = mix_array(counters + stream_key(_PURPOSE, seed, len(field)))
    # 32 random bits times N < 2**31 fit into 64 bits; the bias is below N / 2**32 of one entry's chance.
    return field[((words >> np.uint64(32)) * np.uint64(len(field))) >> np.uint64(32)]


def reference_quantile(field: NDArray[np.floating], q: float) -> float:
    """:func:`quantile` by sorting: the slow, obvious twin."""
    ordered = np.sort(np.abs(field.astype(np.float64)))
    position = q * (len(field) - 1)
    rank = min(int(position), len(field) - 2)
    return interpolate(ordered[rank], ordered[rank + 1], position - rank)
