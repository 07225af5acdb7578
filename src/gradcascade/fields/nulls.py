"""Nulls: randomised fields that keep some of what a real field has (arXiv:2605.02968).

Every null is a function of (kind, seed, replicate, N) and, where it uses them, of the field's values: never of the
number of threads. Random numbers come from NumPy's PCG64, one stream for every block of 2**20 entries.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from numbers import Integral
from operator import index
from typing import Any, Literal

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.fields.moments import moments
from gradcascade.probe.array import as_field
from gradcascade.probe.graph import MIN_NODES
from gradcascade.probe.hashing import stream_key, uniform
from gradcascade.probe.threads import thread_count

Field = NDArray[np.floating]

KINDS = ("N0", "N1", "N2")

_BLOCK = 1 << 20
_BUCKET = 1 << 15
_DRAWN = 1024


def null(
    kind: str,
    field: Any,
    seed: int,
    *,
    replicate: int = 0,
    deviation: Literal["population", "sample"] = "population",
    threads: int | None = None,
) -> Field:
    """Draw a null of a field.

    Parameters
    ----------
    kind : str
        ``"N0"``: independent standard normal numbers. ``"N1"``: independent normal numbers with the mean and
        variance of the field. ``"N2"``: the field's own values in random order.
    field : array or int
        NumPy array or torch tensor of any shape; for N0 its number of entries is enough.
    seed : int
        Seed; the published rule is ``42 + step``.
    replicate : int
        Number of the replicate, from 0.
    deviation : {"population", "sample"}
        Which standard deviation N1 takes.
    threads : int, optional
        Number of threads; it does not change the result.

    Returns
    -------
    numpy.ndarray
        Shape (N,); float32 for N0, otherwise of the field's type.

    Raises
    ------
    InputError
        If the kind is unknown or the field cannot be used.
    """
    if kind not in KINDS:
        raise InputError(f"null {kind!r} is unknown; choose one of {', '.join(KINDS)}")
    count = thread_count(threads)
    key = (KINDS.index(kind), seed, replicate)
    if deviation not in ("population", "sample"):
        raise InputError(f"deviation must be population or sample, got {deviation!r}")
    if kind == "N0":
        n = int(field) if isinstance(field, Integral) else as_field(field).size
        if n < MIN_NODES:
            raise InputError(f"a null needs at least {MIN_NODES} entries, got {n}")
        return _normal(key, n, np.float32, count)
    values = as_field(field)
    if kind == "N1":
        found = moments(values, count)
        freedom = found.n - (deviation == "sample")
        scale = math.ldexp(math.sqrt(found.second * found.n / freedom), found.exponent)
        mean = math.ldexp(found.mean, found.exponent)
        return _normal(key, len(values), values.dtype.type, count, lambda block: _affine(block, mean, scale))
    return permute(values, stream_key(*key, len(values)), count)


def _affine(block: Field, mean: float, scale: float) -> None:
    block *= block.dtype.type(scale)
    block += block.dtype.type(mean)


def _normal(
    key: tuple[int, int, int],
    n: int,
    dtype: type,
    threads: int,
    finish: Callable[[Field], None] | None = None,
) -> Field:
    result = np.empty(n, dtype)
    root = [index(part) & 0xFFFFFFFFFFFFFFFF for part in (*key, n)]

    def fill(number: int) -> None:
        block = result[number * _BLOCK : (number + 1) * _BLOCK]
        stream = np.random.Generator(np.random.PCG64(np.random.SeedSequence(root, spawn_key=(number,))))
        stream.standard_normal(out=block, dtype=dtype)
        if finish:
            finish(block)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, range(-(-n // _BLOCK))))
    return result


@numba.njit(inline="always")
def _draw_buckets(key, first, buckets, drawn):
    """Draw the buckets of the entries from ``first`` on: a loop of its own, which is vectorised."""
    for k in range(drawn.shape[0]):
        drawn[k] = np.uint32(uniform(key, first + np.uint64(k)) * buckets)


@numba.njit(cache=True)
def _count_buckets(key, start, stop, buckets, counts):
    drawn = np.empty(_DRAWN, np.uint32)
    for first in range(start, stop, _DRAWN):
        some = drawn[: min(_DRAWN, stop - first)]
        _draw_buckets(key, np.uint64(first), buckets, some)
        for k in range(some.shape[0]):
            counts[some[k]] += 1


@numba.njit(cache=True)
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


@numba.njit(parallel=True, cache=True)
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


@numba.njit(parallel=True, cache=True)
def _shuffle_buckets(result, starts, key):
    """Fisher-Yates within each bucket; the draw at each place has a counter of its own."""
    for bucket in numba.prange(starts.shape[0] - 1):
        start = starts[bucket]
        for i in range(starts[bucket + 1] - 1, start, -1):
            j = start + np.int64(uniform(key, np.uint64(i)) * (i - start + 1))
            result[i], result[j] = result[j], result[i]


def permute(values: Field, key: np.uint64, threads: int = 1) -> Field:
    """Random order of the entries: random buckets, then a shuffle in each (Rao, 1961; Sandelius, 1962).

    Every order is equally likely, and all random access stays within a bucket that fits into cache.

    Parameters
    ----------
    values : numpy.ndarray
        Shape (N,).
    key : numpy.uint64
        Random stream.
    threads : int
        Number of parts that are moved at the same time; it does not change the result.

    Returns
    -------
    numpy.ndarray
        Shape (N,).
    """
    buckets = max(1, len(values) // _BUCKET)
    result = np.empty_like(values)
    starts = np.empty(buckets + 1, np.int64)
    _to_buckets(values, key, buckets, threads, result, starts)
    _shuffle_buckets(result, starts, stream_key(int(key), 1))
    return result
