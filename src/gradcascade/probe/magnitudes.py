"""Magnitudes from counts of bits; a key is an entry's bits without the sign, at the left end of 32 or 64 bits."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError

BITS = 16
"""Bits of a key that are counted in one reading."""

BINS = 1 << BITS

_EXPONENT_BITS = {32: 8, 64: 11}
_BIAS = {32: 127, 64: 1023}


@dataclass(frozen=True)
class Magnitudes:
    """What one reading of a field tells about its magnitudes."""

    histogram: NDArray[np.int64]
    """Entries by the leading 16 bits of their magnitude."""
    largest: float
    zeros: int
    sum_exponent: int
    """The sum of the magnitudes is below ``2**sum_exponent``; found from counts, so the same everywhere."""


def describe(histogram: NDArray[np.int64], largest: int, zeros: int, width: int) -> Magnitudes:
    """Magnitudes of a finite field, from its counts, its largest key and the number of its zeros."""
    return Magnitudes(histogram, value(largest, width), zeros, _sum_exponent(histogram, zeros, width))


def all_finite(histogram: NDArray[np.int64], width: int) -> bool:
    """Whether no counted entry has the exponent of NaN and infinity."""
    bits = _EXPONENT_BITS[width]
    return not histogram[((1 << bits) - 1) << (BITS - bits) :].any()


def not_finite(bad: int, n: int, entry: float, index: int | str) -> InputError:
    """Make the error for a field with ``bad`` entries that are NaN or infinite, of which ``entry`` is the first."""
    return InputError(
        f"the field has {bad:,} of {n:,} entries that are NaN or infinite (the first, {entry}, at index {index}); "
        "measure a snapshot without them"
    )


def value(key: int, width: int) -> float:
    """Magnitude that a key stands for."""
    word = np.array([key >> 1], np.uint32 if width == 32 else np.uint64)
    return float(word.view(np.float32 if width == 32 else np.float64)[0])


def _sum_exponent(histogram: NDArray[np.int64], zeros: int, width: int) -> int:
    """Bound the sum of the magnitudes by the upper edges of their bins, in exact integers."""
    fraction_bits = BITS - _EXPONENT_BITS[width]
    bins = histogram.reshape(-1, 1 << fraction_bits)  # a row is one exponent: its edges are a few bits apart
    edges = np.arange(1, (1 << fraction_bits) + 1)
    subnormal = int(bins[0] @ edges)
    normal = (bins[1:] @ (edges + (1 << fraction_bits))).tolist()
    total = subnormal - zeros + sum(part << exponent for exponent, part in enumerate(normal) if part)
    return total.bit_length() + 1 - _BIAS[width] - fraction_bits


def find_order_statistics(
    rank: int,
    histogram: NDArray[np.int64],
    width: int,
    count_following: Callable[[int, int], NDArray[np.int64]],
    least_above: Callable[[int], int],
) -> tuple[float, float]:
    """Magnitudes of rank ``rank`` and the next; ``count_following`` counts 16 more bits of the keys of a prefix."""
    below, prefix, shift = 0, 0, width - BITS
    while True:
        reached = below + np.cumsum(histogram)
        digit = int(np.searchsorted(reached, rank, side="right"))
        prefix = prefix << BITS | digit
        if shift == 0:
            break
        below = int(reached[digit] - histogram[digit])
        shift -= BITS
        histogram = count_following(prefix, shift)
    if reached[digit] > rank + 1:
        following = prefix
    elif (beyond := np.flatnonzero(histogram[digit + 1 :])).size:
        following = prefix + 1 + int(beyond[0])
    else:
        following = least_above(prefix)
    return value(prefix, width), value(following, width)


def place(q: float, n: int) -> tuple[int, float]:
    """Rank of the order statistic at or below the q-quantile of n entries, and how far above it the quantile is."""
    position = q * (n - 1)
    rank = min(int(position), n - 2)
    return rank, position - rank


def interpolate(low: float, high: float, fraction: float) -> float:
    """Point between two order statistics; from the nearer end, as NumPy does, so that it never leaves them."""
    gap = high - low
    return low + gap * fraction if fraction < 0.5 else high - gap * (1 - fraction)
