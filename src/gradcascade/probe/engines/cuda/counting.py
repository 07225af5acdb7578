"""Magnitudes and units of a field on the device: the counterpart of :mod:`gradcascade.probe.threshold`."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false, reportAttributeAccessIssue=false
# pyright: reportMissingImports=false
# (a kernel is not Python: Triton reads its source and gives the names their meaning; it exists for Linux only)

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import triton
import triton.language as tl

from gradcascade.probe import threshold
from gradcascade.probe.engines.cuda.kernels import launch
from gradcascade.probe.fixedpoint import Scale, powers
from gradcascade.probe.hashing import GOLDEN, M1, M2
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

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

BLOCK = 2048
"""Entries that one program reads."""

COPIES = 32
"""Histograms that are counted in side by side: entries of equal magnitude would queue for one counter."""

_BITS = tl.constexpr(BITS)
_BINS = tl.constexpr(BINS)


@triton.jit
def _magnitude(words, at, live, WIDTH: tl.constexpr):
    """Bits of the entries without their sign: the key shifted right by one."""
    sign = (1 << (WIDTH - 1)) - 1
    return tl.load(words + at, mask=live, other=0) & sign


@triton.jit
def _add(counts, digit, live, COPIES: tl.constexpr):
    copy = tl.program_id(0) % COPIES
    tl.atomic_add(counts + copy * _BINS + digit, 1, mask=live, sem="relaxed")


@triton.jit
def _count_leading(words, n, counts, found, WIDTH: tl.constexpr, COPIES: tl.constexpr, BLOCK: tl.constexpr):
    """Count the leading bits of all entries but zeros; ``found`` takes the largest magnitude and the zeros."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    live = at < n
    magnitude = _magnitude(words, at, live, WIDTH)  # zero beyond the end
    _add(counts, magnitude >> (WIDTH - 1 - _BITS), magnitude != 0, COPIES)
    tl.atomic_max(found, tl.max(magnitude, 0).to(tl.int64), sem="relaxed")
    tl.atomic_add(found + 1, tl.sum((live & (magnitude == 0)).to(tl.int32), 0).to(tl.int64), sem="relaxed")


@triton.jit(do_not_specialize=["prefix"])
def _count_following(
    words, n, counts, prefix, SHIFT: tl.constexpr, WIDTH: tl.constexpr, COPIES: tl.constexpr, BLOCK: tl.constexpr
):
    """Count the 16 bits above SHIFT of the keys that begin with ``prefix``."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    live = at < n
    magnitude = _magnitude(words, at, live, WIDTH)
    digit = magnitude >> (SHIFT - 1) if SHIFT > 0 else magnitude << 1
    _add(counts, digit & (_BINS - 1), live & (magnitude >> (SHIFT + _BITS - 1) == prefix), COPIES)


@triton.jit(do_not_specialize=["magnitude"])
def _least_above(words, n, found, magnitude, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    live = at < n
    other = _magnitude(words, at, live, WIDTH).to(tl.int64)
    above = tl.where(live & (other > magnitude), other, 0x7FFFFFFFFFFFFFFF)
    tl.atomic_min(found, tl.min(above, 0), sem="relaxed")


@triton.jit
def _cut(field, n, powers, units, BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    live = at < n
    value = tl.load(field + at, mask=live, other=0).to(tl.float64)
    tl.store(units + at, (value * tl.load(powers) * tl.load(powers + 1)).to(tl.int64), mask=live)


def _words(field: Tensor) -> tuple[Tensor, int]:
    return (field.view(torch.int32), 32) if field.dtype == torch.float32 else (field.view(torch.int64), 64)


def _read(kernel: Any, array: Tensor, *arguments: Any, **constants: Any) -> None:
    """Run a kernel over all entries of a field."""
    launch(kernel, triton.cdiv(len(array), BLOCK), array, len(array), *arguments, **constants, BLOCK=BLOCK)


def _counters(field: Tensor) -> Tensor:
    return torch.zeros((COPIES, BINS), dtype=torch.int32, device=field.device)


def _total(counts: Tensor) -> NDArray[np.int64]:
    return counts.sum(dim=0, dtype=torch.int64).cpu().numpy()


def survey(field: Tensor) -> Magnitudes:
    """Read the field once, as :func:`gradcascade.probe.threshold.survey` does."""
    words, width = _words(field)
    counts = _counters(field)
    found = torch.zeros(2, dtype=torch.int64, device=field.device)
    _read(_count_leading, words, counts, found, WIDTH=width, COPIES=COPIES)
    largest, zeros = found.tolist()
    histogram = _total(counts)
    histogram[0] += zeros
    if not all_finite(histogram, width):
        bad = ~torch.isfinite(field)
        first = int(bad.to(torch.uint8).argmax())
        raise not_finite(int(bad.sum()), len(field), float(field[first]), first)
    return describe(histogram, largest << 1, zeros, width)


def order_statistics(field: Tensor, rank: int, magnitudes: Magnitudes) -> tuple[float, float]:
    """Magnitudes of rank ``rank`` and ``rank + 1``, as :func:`gradcascade.probe.threshold.order_statistics`."""
    words, width = _words(field)

    def count_following(prefix: int, shift: int) -> NDArray[np.int64]:
        counts = _counters(field)
        _read(_count_following, words, counts, prefix, SHIFT=shift, WIDTH=width, COPIES=COPIES)
        return _total(counts)

    def least_above(key: int) -> int:
        found = torch.full((1,), torch.iinfo(torch.int64).max, dtype=torch.int64, device=field.device)
        _read(_least_above, words, found, key >> 1, WIDTH=width)
        return int(found) << 1

    return find_order_statistics(rank, magnitudes.histogram, width, count_following, least_above)


def quantile(field: Tensor, q: float, magnitudes: Magnitudes | None = None) -> float:
    """Empirical q-quantile of the magnitudes, as :func:`gradcascade.probe.threshold.quantile`."""
    rank, fraction = place(q, len(field))
    return interpolate(*order_statistics(field, rank, magnitudes or survey(field)), fraction)


def subsample(field: Tensor, seed: int, size: int = threshold.SUBSAMPLE) -> Tensor:
    """Draw the entries that :func:`gradcascade.probe.threshold.subsample` draws."""
    if len(field) <= size:
        return field
    counters = torch.arange(1, size + 1, dtype=torch.int64, device=field.device)
    words = counters * _signed(GOLDEN) + _signed(threshold.subsample_key(seed, len(field)))
    words = (words ^ _shifted(words, 30)) * _signed(M1)
    words = (words ^ _shifted(words, 27)) * _signed(M2)
    words = words ^ _shifted(words, 31)
    return field[(_shifted(words, 32) * len(field)) >> 32]


def _signed(word: np.uint64) -> int:
    """Give the signed number with the same 64 bits: torch multiplies modulo 2**64 as well, but knows only those."""
    return int(word) - (int(word) >> 63 << 64)


def _shifted(words: Tensor, bits: int) -> Tensor:
    """Shift right, filling with zeros."""
    return (words >> bits) & ((1 << (64 - bits)) - 1)


def to_units(field: Tensor, scale: Scale) -> Tensor:
    """Cut a field to fixed-point units, as :func:`gradcascade.probe.fixedpoint.to_units`: int64, shape (N,)."""
    units = torch.empty(len(field), dtype=torch.int64, device=field.device)
    factors = torch.tensor(powers(scale.exponent), dtype=torch.float64, device=field.device)
    _read(_cut, field, factors, units)
    return units
