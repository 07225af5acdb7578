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

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.fields.controls import CLIP, clip_field, draw_signs
from gradcascade.fields.layout import Layout, block_ranges, tensor_ranges
from gradcascade.fields.moments import moments
from gradcascade.fields.permutation import permute, permute_within
from gradcascade.numbers import whole
from gradcascade.probe.array import as_field
from gradcascade.probe.graphs import MIN_NODES
from gradcascade.probe.hashing import stream_key
from gradcascade.probe.threads import thread_count

Field = NDArray[np.floating]

PUBLISHED = ("N0", "N1", "N2")
"""The nulls of arXiv:2605.02968."""

KINDS = (*PUBLISHED, "signs", "in-tensor", "in-block", "clipped")
"""All nulls; the place of a name in here is part of its random stream."""

FIXED = ("clipped",)
"""Nulls in which nothing is drawn: neither seed nor replicate changes them."""

_BLOCK = 1 << 20


def null(
    kind: str,
    field: Any,
    seed: int,
    *,
    replicate: int = 0,
    deviation: Literal["population", "sample"] = "population",
    layout: Layout | None = None,
    clip: float = CLIP,
    quantile: float = 0.9,
    threads: int | None = None,
) -> Field:
    """Draw a null of a field.

    Parameters
    ----------
    kind : str
        ``"N0"``: independent standard normal numbers. ``"N1"``: independent normal numbers with the mean and
        variance of the field. ``"N2"``: the field's own values in random order, which is also what relabelling the
        graph's nodes at random does. ``"signs"``: every magnitude at its place, with a random sign. ``"in-tensor"``,
        ``"in-block"``: the values in random order within each tensor, or within each block of the network.
        ``"clipped"``: magnitudes beyond ``clip`` times the threshold brought down to it.
    field : array or int
        NumPy array or torch tensor of any shape; for N0 its number of entries is enough.
    seed : int
        Seed; the published rule is ``42 + step``.
    replicate : int
        Number of the replicate, from 0.
    deviation : {"population", "sample"}
        Which standard deviation N1 takes.
    layout : sequence of (str, int), optional
        Name and number of entries of every tensor of the field, in order; for in-tensor and in-block.
    clip : float
        Multiple of the threshold that clipped brings entries down to, above 1.
    quantile : float
        For clipped, the threshold is this quantile of the magnitudes.
    threads : int, optional
        Number of threads; it does not change the result.

    Returns
    -------
    numpy.ndarray
        Shape (N,); float32 for N0, otherwise of the field's type.

    Raises
    ------
    InputError
        If the kind is unknown, the field cannot be used, or the layout is missing or is not that of the field.
    """
    if kind not in KINDS:
        raise InputError(f"null {kind!r} is unknown; choose one of {', '.join(KINDS)}")
    count = thread_count(threads)
    key = (KINDS.index(kind), whole("seed", seed), whole("replicate", replicate))
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
    if kind == "clipped":
        return clip_field(values, clip, quantile, count)
    stream = stream_key(*key, len(values))
    if kind == "N2":
        return permute(values, stream, count)
    if kind == "signs":
        return draw_signs(values, stream, count)
    if layout is None:
        raise InputError(
            f"the null {kind} needs the layout of the field: name and number of entries of every tensor, in order"
        )
    ranges = tensor_ranges if kind == "in-tensor" else block_ranges
    return permute_within(values, ranges(layout, len(values)), stream, count)


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
