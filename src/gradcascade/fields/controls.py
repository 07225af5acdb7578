"""Controls that keep a field's magnitudes or its places: drawn signs, and clipped entries."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.probe.hashing import GOLDEN, mix
from gradcascade.probe.parallel import compiled, parallel
from gradcascade.probe.threshold import quantile as magnitude_quantile

Field = NDArray[np.floating]

_TOP = np.uint64(63)
_ONE = np.uint64(1)


@compiled()
def _draw_part(values, key, start, stop, result):
    for i in range(start, stop):
        magnitude = abs(values[i])
        word = mix(key + GOLDEN * (np.uint64(i) + _ONE))
        result[i] = -magnitude if word >> _TOP else magnitude


@parallel()
def _draw_signs(values, key, parts, result):
    n = values.shape[0]
    for part in numba.prange(parts):
        _draw_part(values, key, part * n // parts, (part + 1) * n // parts, result)


def draw_signs(values: Field, key: np.uint64, threads: int = 1) -> Field:
    """Keep every magnitude and draw its sign anew: the sign of entry i is draw i of the stream ``key``."""
    result = np.empty_like(values)
    _draw_signs(values, key, min(threads, len(values)), result)
    return result


@parallel()
def _clip(values, bound, parts, result):
    n = values.shape[0]
    for part in numba.prange(parts):
        for i in range(part * n // parts, (part + 1) * n // parts):
            result[i] = min(max(values[i], -bound), bound)


def clip_field(values: Field, multiple: float, quantile: float, threads: int = 1) -> Field:
    """Bring every magnitude beyond ``multiple`` times the ``quantile`` of the magnitudes down to it."""
    if not 1 < multiple < float("inf"):
        raise InputError(f"clip must be a number above 1, in units of the threshold, got {multiple}")
    if not 0 < quantile < 1:
        raise InputError(f"quantile must lie between 0 and 1 (both excluded), got {quantile}")
    bound = multiple * magnitude_quantile(values, quantile, threads=threads)
    result = np.empty_like(values)
    _clip(values, values.dtype.type(min(bound, float(np.finfo(values.dtype).max))), min(threads, len(values)), result)
    return result
