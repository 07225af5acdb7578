"""Norms, distances and digests for the content checks, read block by block, so that memory stays bounded."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradcascade.sources.stored import CODES, StoredTensor, row_major_strides, widened_bfloat16

_BLOCK = 1 << 18

# Bits of the fraction, and the exponent of the smallest normal number.
_FORMATS = {"float16": (10, -14), "bfloat16": (7, -126), "float32": (23, -126), "float64": (52, -1022)}

FRACTIONS = {dtype: bits for dtype, (bits, _) in _FORMATS.items()}
"""Bits of the fraction of every type."""

Tensors = Mapping[str, StoredTensor]


@dataclass(frozen=True)
class Scan:
    """What one file of tensors holds."""

    squares: NDArray[np.float64]
    digests: tuple[str, ...]  # of the values, the same for +0 and -0 and for every stored type
    broken: tuple[str, ...]  # tensors with entries that are NaN, infinite, or too large to be squared in float64
    zeros: NDArray[np.int64]
    bits: int  # of the fraction that some number in the file makes use of


@dataclass(frozen=True)
class Distances:
    """Distances between the K checkpoints of one run as sums of squares, for each of T tensors."""

    names: tuple[str, ...]
    sizes: NDArray[np.int64]  # (T,)
    next_one: NDArray[np.float64]  # (K - 1, T)
    next_but_one: NDArray[np.float64]  # (K - 2, T)
    to_last: NDArray[np.float64]  # (K, T)
    zeros: NDArray[np.int64]  # (K - 1, T): entries that do not change
    within_unit: NDArray[np.int64]  # (K - 1, T): that change by at most one unit in the last place, these too


def scan(tensors: Tensors) -> Scan:
    """Read every entry of a file once."""
    squares, digests, zeros, bits = [], [], [], 0
    for tensor in tensors.values():
        total, none, digest = 0.0, 0, hashlib.blake2b(digest_size=16)
        for block in blocks(tensor):
            total += _squares(block)
            none += block.size - int(np.count_nonzero(block))
            digest.update(_comparable(block).data)
            bits = max(bits, _fraction_bits(block))
        squares.append(total)
        zeros.append(none)
        digests.append(digest.hexdigest())
    broken = tuple(name for name, total in zip(tensors, squares, strict=True) if not math.isfinite(total))
    return Scan(np.array(squares), tuple(digests), broken, np.array(zeros, np.int64), bits)


def _fraction_bits(block: NDArray[np.floating]) -> int:
    """Bits of the fraction up to the last one that is not zero in all of some numbers."""
    kind, width = (np.uint64, 52) if block.dtype == np.float64 else (np.uint32, 23)
    used = int(np.bitwise_or.reduce(np.ascontiguousarray(block).view(kind))) & ((1 << width) - 1)
    return width - ((used & -used).bit_length() - 1) if used else 0


def measure_distances(
    checkpoints: Sequence[Callable[[], Tensors]], progress: Callable[[int], None] | None = None
) -> Distances:
    """Distances between checkpoints of the same tensors, of which at most four are open at a time."""
    last = len(checkpoints) - 1
    opened = {last: checkpoints[last]()}
    names, width = tuple(opened[last]), len(opened[last])
    sizes = np.array([tensor.size for tensor in opened[last].values()], np.int64)
    one, two, to_last = (np.zeros((max(rows, 0), width)) for rows in (last, last - 1, last + 1))
    found = Distances(names, sizes, one, two, to_last, one.astype(np.int64), one.astype(np.int64))
    for k in range(last):
        wanted = {i for i in (k, k + 1, k + 2, last) if i <= last}
        opened = {i: opened[i] if i in opened else checkpoints[i]() for i in wanted}
        for t, name in enumerate(names):
            _one_tensor(found, k, t, {i: opened[i][name] for i in sorted(wanted)}, last)
        if progress:
            progress(k + 1)
    return found


def _one_tensor(found: Distances, k: int, t: int, tensors: dict[int, StoredTensor], last: int) -> None:
    coarser = min((tensors[k].dtype, tensors[k + 1].dtype), key=lambda dtype: _FORMATS[dtype][0])
    for parts in zip(*map(blocks, tensors.values()), strict=True):
        at = dict(zip(tensors, parts, strict=True))
        differences = {i: np.subtract(at[i], at[k], dtype=np.float64) for i in at if i != k}
        squares = {i: _squares(difference) for i, difference in differences.items()}
        found.next_one[k, t] += squares[k + 1]
        if k + 2 in squares:
            found.next_but_one[k, t] += squares[k + 2]
        found.to_last[k, t] += squares[last]
        size = np.abs(differences[k + 1])
        found.zeros[k, t] += int(np.count_nonzero(size == 0))
        found.within_unit[k, t] += int(np.count_nonzero(size <= unit_in_the_last_place(at[k], at[k + 1], coarser)))


def unit_in_the_last_place(a: NDArray, b: NDArray, dtype: str) -> NDArray[np.float64]:
    """The distance of neighbouring numbers of a type at the larger of two magnitudes, float64.

    It is 2^(e - p): 2^e is the largest power of two, of the type's normal numbers, that the larger magnitude reaches,
    and p are the bits of the type's fraction.
    """
    fraction, smallest = _FORMATS[dtype]
    larger = np.maximum(np.abs(a), np.abs(b)).astype(np.float64)
    exponent = np.frexp(larger)[1] - 1
    exponent[larger == 0] = smallest
    return np.ldexp(1.0, np.maximum(exponent, smallest) - fraction)


def inner_product(a: StoredTensor, b: StoredTensor) -> float:
    """The inner product of two tensors of one shape."""
    pairs = zip(blocks(a), blocks(b), strict=True)
    return float(sum(np.dot(x.astype(np.float64), y.astype(np.float64)) for x, y in pairs))


def blocks(tensor: StoredTensor) -> Iterator[NDArray[np.floating]]:
    """The entries of a tensor in row-major order, block by block, float32 (or float64), widened exactly."""
    expected = row_major_strides(tensor.shape, np.dtype(CODES[tensor.dtype]).itemsize)
    steps = zip(tensor.shape, tensor.strides, expected, strict=True)
    whole = type(tensor) is StoredTensor and tensor.size and not tensor.negative  # not put together when it is read
    mapped = whole and all(size <= 1 or stride == wanted for size, stride, wanted in steps)
    if mapped:
        flat = np.ndarray((tensor.size,), CODES[tensor.dtype], tensor.file, tensor.offset)
    else:
        flat = tensor.read().reshape(-1)
    for start in range(0, tensor.size, _BLOCK):
        part = flat[start : start + _BLOCK]
        yield widened_bfloat16(part) if mapped and tensor.dtype == "bfloat16" else _widened(part)


def _comparable(block: NDArray[np.floating]) -> NDArray[np.floating]:
    """The same bytes for the same numbers: +0 for -0, and float32 for every type that it can hold exactly."""
    with np.errstate(over="ignore", under="ignore"):
        narrow = block.astype(np.float32)
    return np.ascontiguousarray(narrow if np.array_equal(narrow, block) else block) + np.float32(0)


def _widened(values: NDArray) -> NDArray[np.floating]:
    return values.astype(np.float32) if values.dtype.itemsize < 4 else values


def _squares(values: NDArray[np.floating]) -> float:
    wide = values.astype(np.float64, copy=False)
    with np.errstate(over="ignore", invalid="ignore"):  # sums that are not finite are reported as such
        return float(np.dot(wide, wide))
