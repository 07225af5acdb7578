"""Arguments that must be numbers: a wrong type is said at once, not found deep in a compiled function."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from gradcascade.errors import InputError


def whole(name: str, value: Any) -> int:
    """Check that an argument is a whole number of Python or NumPy, and give it as one of Python."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InputError(f"{name} must be a whole number, got {value!r}")
    return int(value)


def real(name: str, value: Any) -> float:
    """Check that an argument is a number of Python or NumPy, and give it as one of Python."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InputError(f"{name} must be a number, got {value!r}")
    return float(value)
