"""Checks that arguments are numbers, before a compiled function fails on them."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from gradcascade.errors import InputError


def whole(name: str, value: Any) -> int:
    """The argument as a Python int, if it is a whole number of Python or NumPy."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InputError(f"{name} must be a whole number, got {value!r}")
    return int(value)


def real(name: str, value: Any) -> float:
    """The argument as a Python float, if it is a number of Python or NumPy."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InputError(f"{name} must be a number, got {value!r}")
    return float(value)
