"""Controls that keep a field's magnitudes or its places: drawn signs, and clipped entries."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.probe.hashing import GOLDEN, mix
from gradcascade.probe.parallel import parallel
from gradcascade.probe.threshold import quantile as magnitude_quantile

Field = NDArray[np.floating]

_TOP = np.uint64(63)
_ONE = np.uint64(1)


@numba.njit(cache=True)
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
    """Keep every magnitude at its place and draw its sign anew, plus or minus with equal chance.

    Parameters
    ----------
    values : numpy.ndarray
        Shape (N,).
    key : numpy.uint64
        Random stream; the sign of entry i is draw number i.
    threads : int
        Number of parts that are done at the same time; it does not change the result.

    Returns
    -------
    numpy.ndarray
        Shape (N,).
    """
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
    """Bring every magnitude beyond a multiple of the threshold down to it.

    Parameters
    ----------
    values : numpy.ndarray
        float32 or float64, shape (N,).
    multiple : float
        Largest magnitude that stays, in units of tau; above 1.
    quantile : float
        tau is this quantile of the magnitudes, exactly.
    threads : int
        As for :func:`draw_signs`.

    Returns
    -------
    numpy.ndarray
        Shape (N,).

    Raises
    ------
    InputError
        If the multiple is not above 1 (nothing would be active), the quantile not between 0 and 1, or entries are
        not finite.
    """
    if not 1 < multiple < float("inf"):
        raise InputError(f"clip must be a number above 1, in units of the threshold, got {multiple}")
    if not 0 < quantile < 1:
        raise InputError(f"quantile must lie between 0 and 1 (both excluded), got {quantile}")
    bound = multiple * magnitude_quantile(values, quantile, threads=threads)
    result = np.empty_like(values)
    _clip(values, values.dtype.type(min(bound, float(np.finfo(values.dtype).max))), min(threads, len(values)), result)
    return result
