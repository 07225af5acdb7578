"""Statistics of a field that are stored with its cascade."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from gradcascade.fields.moments import moments


def kurtosis(field: NDArray[np.floating], threads: int = 1) -> float:
    """Fourth central moment over the squared variance (Pearson's: 3 for a normal field); NaN for a constant field."""
    if not len(field):
        return float("nan")
    found = moments(field, threads)
    return found.fourth / found.second**2 if found.second > 0 and not found.constant else float("nan")


def content_hash(field: NDArray[np.floating]) -> str:
    """Thirty-two hexadecimal digits of SHA-256 over the type and the bytes of a field."""
    digest = hashlib.sha256(f"{field.dtype.str}:".encode())
    digest.update(np.ascontiguousarray(field).view(np.uint8).data)
    return digest.hexdigest()[:32]
