"""The exact quantile of the magnitudes by counting bits, 16 at a time: no sort and no copy of the field."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.probe.hashing import GOLDEN, mix_array, stream_key
from gradcascade.probe.machine import lowest_bit
from gradcascade.probe.magnitudes import BINS as _BINS
from gradcascade.probe.magnitudes import BITS as _BITS
from gradcascade.probe.magnitudes import (
    Magnitudes,
    all_finite,
    describe,
    find_order_statistics,
    interpolate,
    not_finite,
    place,
)
from gradcascade.probe.parallel import compiled, parallel

SUBSAMPLE = 10_000_000
"""Magnitudes in the published subsample (arXiv:2605.02968), drawn when a field has more entries than this."""

_BLOCK = 4096
_ONE = np.uint64(1)
_PURPOSE = 0x5155  # "QU"


def _words(field: NDArray[np.floating]) -> tuple[NDArray[np.unsignedinteger], int]:
    """Bit patterns of a float32 or float64 field, and their width."""
    return (field.view(np.uint32), 32) if field.dtype == np.float32 else (field.view(np.uint64), 64)


@numba.njit(inline="always")
def _key(word, width):
    """Magnitude bits, moved to the left end of the word (the sign is shifted out)."""
    key = np.uint64(word) << _ONE
    return key & np.uint64(0xFFFFFFFF) if width == 32 else key


@compiled()
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


@parallel()
def _count_leading(words, width, parts):
    n = words.shape[0]
    counts = np.zeros((parts, _BINS), np.uint32)
    largest = np.zeros(parts, np.uint64)
    zeros = np.zeros(parts, np.int64)
    for part in numba.prange(parts):
        own = words[part * n // parts : (part + 1) * n // parts]
        largest[part], zeros[part] = _survey(own, width, counts[part])
    return counts.astype(np.int64).sum(axis=0), largest.max(), zeros.sum()


@compiled()
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


@parallel()
def _count_following(words, width, prefix, shift, parts):
    n = words.shape[0]
    counts = np.zeros((parts, _BINS), np.uint32)
    for part in numba.prange(parts):
        _following(words[part * n // parts : (part + 1) * n // parts], width, prefix, shift, counts[part])
    return counts.astype(np.int64).sum(axis=0)


@parallel()
def _least_above(words, width, key, parts):
    n = words.shape[0]
    least = np.full(parts, np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64)
    for part in numba.prange(parts):
        for i in range(part * n // parts, (part + 1) * n // parts):
            other = _key(words[i], width)
            if other > key and other < least[part]:
                least[part] = other
    return least.min()


def survey(field: NDArray[np.floating], threads: int = 1) -> Magnitudes:
    """Read the field once: histogram of the magnitudes, largest, zeros; refuse what is not finite."""
    words, width = _words(field)
    histogram, largest, zeros = _count_leading(words, width, threads)
    if not all_finite(histogram, width):
        bad = ~np.isfinite(field)
        first = int(np.argmax(bad))
        raise not_finite(int(bad.sum()), len(field), field[first], first)
    return describe(histogram, int(largest), int(zeros), width)


def order_statistics(
    field: NDArray[np.floating], rank: int, magnitudes: Magnitudes, threads: int = 1
) -> tuple[float, float]:
    """Magnitudes of rank ``rank`` and ``rank + 1`` (counted from 0), exactly."""
    words, width = _words(field)
    return find_order_statistics(
        rank,
        magnitudes.histogram,
        width,
        lambda prefix, shift: _count_following(words, width, np.uint64(prefix), np.uint64(shift), threads),
        lambda key: int(_least_above(words, width, np.uint64(key), threads)),
    )


def quantile(field: NDArray[np.floating], q: float, magnitudes: Magnitudes | None = None, threads: int = 1) -> float:
    """Exactly what ``numpy.quantile(abs(field), q)`` defines, evaluated in double precision."""
    rank, fraction = place(q, len(field))
    return interpolate(*order_statistics(field, rank, magnitudes or survey(field, threads), threads), fraction)


def subsample(field: NDArray[np.floating], seed: int, size: int = SUBSAMPLE) -> NDArray[np.floating]:
    """Draw ``size`` entries uniformly with replacement, from (seed, N) alone; all of a field with no more."""
    if len(field) <= size:
        return field
    counters = np.arange(1, size + 1, dtype=np.uint64) * GOLDEN
    words = mix_array(counters + subsample_key(seed, len(field)))
    # 32 random bits times N < 2**31 fit into 64 bits; the bias is below N / 2**32 of one entry's chance.
    return field[((words >> np.uint64(32)) * np.uint64(len(field))) >> np.uint64(32)]


def subsample_key(seed: int, n: int) -> np.uint64:
    """Key of the random numbers that draw the subsample of a field of n entries."""
    return stream_key(_PURPOSE, seed, n)
