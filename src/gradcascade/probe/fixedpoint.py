"""Fixed-point numbers: why every engine and every number of threads gives the same bits.

A field is scaled by a power of two, cut to 64-bit integers and relaxed in integers, whose additions commute.

Scale. ``tau`` lands in [2**(B-1), 2**B) with B = 40 bits, fewer only where the sum of the magnitudes would not
stay below 2**62. Relaxation never increases that sum, so no accumulator can overflow. A field whose B would fall
below 26 is refused: its largest entries are billions of times the threshold.

Cutting. Magnitudes and tau are cut towards zero, so an entry at or below tau never passes. An entry above tau by less
than 2**-B of it would be missed; float32 fields have no such entry for B >= 28.

Shares. An active node r sends ``c = trunc(u_r * (alpha / k_r))`` to each neighbour and keeps ``u_r - k_r c``: the
signed total is conserved exactly, and IEEE 754 defines c to the last bit on every machine.
"""

import math
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.probe.magnitudes import Magnitudes

BITS = 40
LEAST_BITS = 26
SUM_BITS = 62


@dataclass(frozen=True)
class Scale:
    """Fixed-point scale: one unit is ``2**-exponent``; ``threshold`` is tau in units, cut towards zero."""

    exponent: int
    threshold: int


def choose_scale(tau: float, magnitudes: Magnitudes) -> Scale:
    """Choose the scale of a field from its threshold; refuse a field whose magnitudes exceed it by too much."""
    room = SUM_BITS - magnitudes.sum_exponent
    if tau == 0:
        return Scale(room, 0)
    tau_exponent = math.frexp(tau)[1]
    exponent = min(BITS - tau_exponent, room)
    if exponent + tau_exponent < LEAST_BITS:
        raise InputError(
            f"the field's largest magnitude {magnitudes.largest:.3g} is {magnitudes.largest / tau:.3g} times its "
            f"threshold {tau:.3g}, beyond what 64-bit accumulators hold; clip the field or raise the quantile"
        )
    return Scale(exponent, int(math.ldexp(tau, exponent)))


def powers(exponent: int) -> tuple[float, float]:
    """Two exact factors whose product is ``2**exponent``, neither of which overflows."""
    half = exponent // 2
    return 2.0**half, 2.0 ** (exponent - half)


@numba.njit(inline="always")
def cut(value, first, second):
    """One entry in units, cut towards zero; ``first`` and ``second`` are :func:`powers`."""
    return np.int64(np.float64(value) * first * second)


def to_units(field: NDArray[np.floating], scale: Scale) -> NDArray[np.int64]:
    """Cut a field to fixed-point units."""
    first, second = powers(scale.exponent)
    return np.trunc(field.astype(np.float64) * first * second).astype(np.int64)


def moved(field: NDArray[np.floating], change: NDArray[np.int64], scale: Scale) -> NDArray[np.float64]:
    """A field after a change in units: what no cascade touched keeps its value to the last bit."""
    return field.astype(np.float64) + np.ldexp(change.astype(np.float64), -scale.exponent)
