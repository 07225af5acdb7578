"""Random order of the entries of a field, or of parts of it, without a sort."""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.probe.hashing import stream_key, uniform
from gradcascade.probe.machine import prefetch_to_write
from gradcascade.probe.parallel import compiled, parallel

Field = NDArray[np.floating]

_BUCKET = 1 << 15
_DRAWN = 1024
_AFTER = np.uint64(32)


@numba.njit(inline="always")
def _draw_buckets(key, first, buckets, drawn):
    """Draw the buckets of the entries from ``first`` on: a loop of its own, which is vectorised."""
    for k in range(drawn.shape[0]):
        drawn[k] = np.uint32(uniform(key, first + np.uint64(k)) * buckets)


@compiled()
def _count_buckets(key, start, stop, buckets, counts):
    drawn = np.empty(_DRAWN, np.uint32)
    for first in range(start, stop, _DRAWN):
        some = drawn[: min(_DRAWN, stop - first)]
        _draw_buckets(key, np.uint64(first), buckets, some)
        for k in range(some.shape[0]):
            counts[some[k]] += 1


@compiled()
def _fill_buckets(values, key, start, stop, buckets, places, result):
    drawn = np.empty(_DRAWN, np.uint32)
    for first in range(start, stop, _DRAWN):
        own = values[first : min(first + _DRAWN, stop)]
        some = drawn[: own.shape[0]]
        _draw_buckets(key, np.uint64(first), buckets, some)
        for k in range(own.shape[0]):
            place = places[some[k]]
            places[some[k]] = place + 1
            result[np.uint64(place)] = own[k]
            # Asked for now, the next line of the bucket is there when it is written to.
            prefetch_to_write(result, np.uint64(place) + _AFTER)  # pyright: ignore[reportCallIssue]


@parallel()
def _to_buckets(values, key, buckets, parts, result, starts):
    """Send every entry to a random bucket, in the order of the entries within each bucket."""
    n = values.shape[0]
    places = np.zeros((parts, buckets), np.int64)
    for part in numba.prange(parts):
        _count_buckets(key, part * n // parts, (part + 1) * n // parts, buckets, places[part])
    total = 0
    for bucket in range(buckets):
        starts[bucket] = total
        for part in range(parts):
            count = places[part, bucket]
            places[part, bucket] = total
            total += count
    starts[buckets] = total
    for part in numba.prange(parts):
        _fill_buckets(values, key, part * n // parts, (part + 1) * n // parts, buckets, places[part], result)


@numba.njit(inline="always")
def _draw_places(key, start, low, drawn):
    """Draw a place from 0 to i for each place i from ``low`` on: a loop of its own, which is vectorised."""
    for k in range(drawn.shape[0]):
        drawn[k] = np.uint32(uniform(key, np.uint64(start + low) + np.uint64(k)) * (low + k + 1))


@compiled()
def _shuffle(own, start, key):
    """Fisher-Yates; the draw at each place has a counter of its own, counted from ``start``."""
    drawn = np.empty(_DRAWN, np.uint32)
    top = own.shape[0]
    while top > 1:
        low = max(top - _DRAWN, 1)
        some = drawn[: top - low]
        _draw_places(key, start, low, some)
        for i in range(top - 1, low - 1, -1):
            j = np.uint64(some[i - low])
            own[np.uint64(i)], own[j] = own[j], own[np.uint64(i)]
        top = low


@parallel()
def _shuffle_buckets(result, starts, key):
    for bucket in numba.prange(starts.shape[0] - 1):
        _shuffle(result[starts[bucket] : starts[bucket + 1]], starts[bucket], key)


def permute(values: Field, key: np.uint64, threads: int = 1, out: Field | None = None) -> Field:
    """Random order of the entries: random buckets, then a shuffle in each (Rao, 1961; Sandelius, 1962)."""
    buckets = max(1, len(values) // _BUCKET)
    result = np.empty_like(values) if out is None else out
    starts = np.empty(buckets + 1, np.int64)
    _to_buckets(values, key, buckets, threads, result, starts)
    _shuffle_buckets(result, starts, stream_key(int(key), 1))
    return result


def permute_within(
    values: Field, groups: Sequence[Sequence[tuple[int, int]]], key: np.uint64, threads: int = 1
) -> Field:
    """Random order within each group of ranges; every place is in one group, and each group has its own stream."""
    result = np.empty_like(values)
    for number, ranges in enumerate(groups):
        own = stream_key(int(key), number)
        if len(ranges) == 1:
            start, stop = ranges[0]
            permute(values[start:stop], own, threads, result[start:stop])
            continue
        mixed = permute(np.concatenate([values[start:stop] for start, stop in ranges]), own, threads)
        place = 0
        for start, stop in ranges:
            result[start:stop] = mixed[place : place + stop - start]
            place += stop - start
    return result
