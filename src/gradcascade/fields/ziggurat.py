"""Standard normal numbers of NumPy's ``Generator(PCG64).standard_normal(dtype=float32)``, the same bits in less time.

NumPy calls a function for every 32 random bits. Here the generator (PCG64: O'Neill, HMC-CS-2014-0905, 2014) fills a
block of words, and the ziggurat (Marsaglia and Tsang, Journal of Statistical Software 5, 2000) reads from it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gradcascade.probe.machine import upper_half
from gradcascade.probe.parallel import compiled

LAYERS = 256
_EDGE = 3.6541528853610088
"""Where the tail begins, for 256 layers of equal area."""
_WORDS = 1024
_HALVES = 2 * _WORDS


def fill(bits: np.random.PCG64, out: NDArray[np.float32]) -> None:
    """Fill an array as ``Generator(bits).standard_normal(out=out)`` does; ``bits``, which must be fresh, stay so."""
    parts = (bits.state["state"][name] for name in ("state", "inc"))
    state = np.array([half for part in parts for half in divmod(part, 1 << 64)], np.uint64)
    _fill(state, out)


def tables() -> tuple[NDArray[np.uint32], NDArray[np.float32], NDArray[np.float32]]:
    """Per layer: mantissas below which a number is accepted at once, widths over 2**23, and densities."""

    def density(x: float) -> float:
        return math.exp(-x * x / 2)

    area = _EDGE * density(_EDGE) + math.sqrt(math.pi / 2) * math.erfc(_EDGE / math.sqrt(2))
    edges = [0.0] * LAYERS
    edges[-1] = _EDGE
    for i in range(LAYERS - 2, 0, -1):
        edges[i] = math.sqrt(-2 * math.log(area / edges[i + 1] + density(edges[i + 1])))
    bottom = area / density(_EDGE)
    inside = [_EDGE / bottom, 0.0, *(edges[i - 1] / edges[i] for i in range(2, LAYERS))]
    return (
        np.array([round(share * 2**23) for share in inside], np.uint32),
        (np.array([bottom, *edges[1:]]) / 2**23).astype(np.float32),
        np.array([density(edge) for edge in edges], np.float32),
    )


_INSIDE, _WIDTH, _DENSITY = tables()
_TAIL = np.float32(_EDGE)
_TAIL_INVERSE = np.float32(1 / _EDGE)
_MULTIPLIER_HIGH = np.uint64(0x2360ED051FC65DA4)
_MULTIPLIER_LOW = np.uint64(0x4385DF649FCCF645)
_UNIT = np.float32(2.0**-24)
_LAYER = np.uint32(LAYERS - 1)


@compiled()
def _refill(state: NDArray[np.uint64], words: NDArray[np.uint64]) -> None:
    """Draw the next words of PCG64; the state is (high, low) and the increment likewise."""
    high, low, add_high, add_low = state
    for i in range(words.size):
        high = (
            upper_half(low, _MULTIPLIER_LOW)  # pyright: ignore[reportCallIssue]
            + low * _MULTIPLIER_HIGH
            + high * _MULTIPLIER_LOW
        )
        low *= _MULTIPLIER_LOW
        low += add_low
        high += add_high + np.uint64(low < add_low)
        mixed, turn = high ^ low, high >> np.uint64(58)
        words[i] = (mixed >> turn) | (mixed << ((np.uint64(64) - turn) & np.uint64(63)))
    state[0], state[1] = high, low


@compiled()
def _uniform(state, words, halves, place):
    """Uniform number of the next 32 bits, and the place after them."""
    if place == _HALVES:
        _refill(state, words)
        place = np.uint64(0)
    return np.float32(halves[place] >> np.uint32(8)) * _UNIT, place + np.uint64(1)


@compiled()
def _beyond(state, words, halves, place, bits):
    """Draw from the tail (Marsaglia, Annals of Mathematical Statistics 35, 1964)."""
    while True:
        u, place = _uniform(state, words, halves, place)
        x = -_TAIL_INVERSE * np.log1p(-u)
        u, place = _uniform(state, words, halves, place)
        y = -np.log1p(-u)
        if y + y > x * x:
            far = _TAIL + x
            return (-far if (bits >> np.uint32(17)) & np.uint32(1) else far), place


@compiled()
def _fill(state: NDArray[np.uint64], out: NDArray[np.float32]) -> None:
    """Fill an array, given state and increment of PCG64."""
    words = np.empty(_WORDS, np.uint64)
    halves = words.view(np.uint32)  # the lower half of a word comes first, as in NumPy
    place = np.uint64(_HALVES)
    for i in range(out.size):
        while True:
            if place == _HALVES:
                _refill(state, words)
                place = np.uint64(0)
            bits = halves[place]
            place += np.uint64(1)
            layer = bits & _LAYER
            mantissa = bits >> np.uint32(9)
            value = np.float32(mantissa) * _WIDTH[layer]
            if bits & np.uint32(LAYERS):
                value = -value
            if mantissa < _INSIDE[layer]:
                break
            if layer == 0:
                value, place = _beyond(state, words, halves, place, bits)
                break
            u, place = _uniform(state, words, halves, place)
            height = (_DENSITY[layer - 1] - _DENSITY[layer]) * u + _DENSITY[layer]
            if height < math.exp(-0.5 * np.float64(value) * np.float64(value)):
                break
        out[i] = value
