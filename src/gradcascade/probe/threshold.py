"""The exact quantile of the magnitudes by counting bits, 16 at a time: no sort and no copy of the field."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import overload

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.probe.hashing import GOLDEN, mix_array, stream_key
from gradcascade.probe.machine import lowest_bit
from gradcascade.probe.magnitudes import (
    BINS,
    BITS,
    Magnitudes,
    all_finite,
    describe,
    find_order_statistics,
    interpolate,
    not_finite,
    place,
)
from gradcascade.probe.parallel import compiled, parallel
from gradcascade.probe.parts import Parts

SUBSAMPLE = 10_000_000
"""Magnitudes in the published subsample (arXiv:2605.02968), drawn when a field has more entries than this."""

_BLOCK = 4096
_ONE = np.uint64(1)
_PURPOSE = 0x5155  # "QU"


Field = NDArray[np.floating] | Parts


def _words(field: Field) -> Iterator[NDArray[np.unsignedinteger]]:
    """Bit patterns of a field, piece by piece."""
    for block in field.blocks() if isinstance(field, Parts) else (field,):
        yield block.view(np.uint32 if block.dtype == np.float32 else np.uint64)


def _width(field: Field) -> int:
    """Bits of an entry."""
    return 8 * np.dtype(field.kind if isinstance(field, Parts) else field.dtype).itemsize


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
    shift = np.uint64(width - BITS - 1)
    low = np.uint64(BINS - 1)
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
    counts = np.zeros((parts, BINS), np.uint32)
    largest = np.zeros(parts, np.uint64)
    zeros = np.zeros(parts, np.int64)
    for part in numba.prange(parts):
        own = words[part * n // parts : (part + 1) * n // parts]
        largest[part], zeros[part] = _survey(own, width, counts[part])
    return counts.astype(np.int64).sum(axis=0), largest.max(), zeros.sum()


@compiled()
def _following(words, width, prefix, shift, counts):
    """Count the 16 bits above ``shift`` of the entries whose higher bits are ``prefix``, which few entries have."""
    low = np.uint64(BINS - 1)
    for start in range(0, words.shape[0], 64):
        block = words[start : start + 64]
        found = np.uint64(0)
        for i in range(block.shape[0]):
            found |= np.uint64(_key(block[i], width) >> shift >> np.uint64(BITS) == prefix) << np.uint64(i)
        while found:
            i = lowest_bit(found)  # pyright: ignore[reportCallIssue]
            counts[_key(block[i], width) >> shift & low] += np.uint32(1)
            found &= found - _ONE


@parallel()
def _count_following(words, width, prefix, shift, parts):
    n = words.shape[0]
    counts = np.zeros((parts, BINS), np.uint32)
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


def survey(field: Field, threads: int = 1) -> Magnitudes:
    """Read the field once: histogram of the magnitudes, largest, zeros; refuse what is not finite."""
    width = _width(field)
    histogram, largest, zeros = np.zeros(BINS, np.int64), 0, 0
    for words in _words(field):
        counts, top, none = _count_leading(words, width, threads)
        histogram, largest, zeros = histogram + counts, max(largest, int(top)), zeros + int(none)
    if not all_finite(histogram, width):
        raise _not_finite(field)
    return describe(histogram, largest, zeros, width)


def _not_finite(field: Field) -> InputError:
    """Find the first entry that is not finite, and in which tensor it is."""
    found = None
    count = start = 0
    for number, array in enumerate(field.arrays() if isinstance(field, Parts) else (field,)):
        bad = ~np.isfinite(array)
        if found is None and bad.any():
            first = int(np.argmax(bad))
            where = f"{first} of {field.where(number)}" if isinstance(field, Parts) else f"{start + first}"
            found = array[first], where
        count += int(bad.sum())
        start += len(array)
    assert found is not None
    return not_finite(count, len(field), *found)


def order_statistics(field: Field, rank: int, magnitudes: Magnitudes, threads: int = 1) -> tuple[float, float]:
    """Magnitudes of rank ``rank`` and ``rank + 1`` (counted from 0), exactly."""
    width = _width(field)

    def count_following(prefix: int, shift: int) -> NDArray[np.int64]:
        return reduce(
            np.add,
            (_count_following(words, width, np.uint64(prefix), np.uint64(shift), threads) for words in _words(field)),
        )

    def least_above(key: int) -> int:
        return min(int(_least_above(words, width, np.uint64(key), threads)) for words in _words(field))

    return find_order_statistics(rank, magnitudes.histogram, width, count_following, least_above)


def quantile(field: Field, q: float, magnitudes: Magnitudes | None = None, threads: int = 1) -> float:
    """Exactly what ``numpy.quantile(abs(field), q)`` defines, evaluated in double precision."""
    rank, fraction = place(q, len(field))
    return interpolate(*order_statistics(field, rank, magnitudes or survey(field, threads), threads), fraction)


@overload
def subsample(field: NDArray[np.floating], seed: int, size: int = SUBSAMPLE) -> NDArray[np.floating]: ...
@overload
def subsample(field: Parts, seed: int, size: int = SUBSAMPLE) -> Field: ...
def subsample(field: Field, seed: int, size: int = SUBSAMPLE) -> Field:
    """Draw ``size`` entries uniformly with replacement, from (seed, N) alone; all of a field with no more."""
    if len(field) <= size:
        return field
    counters = np.arange(1, size + 1, dtype=np.uint64) * GOLDEN
    words = mix_array(counters + subsample_key(seed, len(field)))
    # 32 random bits times N < 2**31 fit into 64 bits; the bias is below N / 2**32 of one entry's chance.
    places = ((words >> np.uint64(32)) * np.uint64(len(field))) >> np.uint64(32)
    return field.take(places) if isinstance(field, Parts) else field[places]


def subsample_key(seed: int, n: int) -> np.uint64:
    """Key of the random numbers that draw the subsample of a field of n entries."""
    return stream_key(_PURPOSE, seed, n)
