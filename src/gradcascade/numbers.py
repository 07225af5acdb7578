"""Checks that arguments are numbers, before a compiled function fails on them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from gradcascade.errors import InputError


def whole(name: str, value: Any) -> int:
    """The argument as a Python int, if it is a whole number of Python or NumPy."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InputError(f"{name} must be a whole number, got {value!r}")
    return int(value)


def seed_of(name: str, value: Any) -> int:
    """The argument as a Python int, if random numbers can be seeded with it: others would count modulo 2**64."""
    if not 0 <= (seed := whole(name, value)) < 2**64:
        raise InputError(f"{name} must be from 0 to 2**64 - 1, got {value}")
    return seed


def check_least(settings: object, least: Mapping[str, int]) -> None:
    """Refuse settings that are no whole number, or below what each must be at least."""
    for name, smallest in least.items():
        if whole(name, getattr(settings, name)) < smallest:
            raise InputError(f"{name} must be at least {smallest}, got {getattr(settings, name)}")


def check_positive(settings: object, *names: str) -> None:
    """Refuse settings that are no number above 0 and below infinity."""
    for name in names:
        if not 0 < real(name, getattr(settings, name)) < math.inf:
            raise InputError(f"{name} must be positive and finite, got {getattr(settings, name)}")


def real(name: str, value: Any) -> float:
    """The argument as a Python float, if it is a number of Python or NumPy."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InputError(f"{name} must be a number, got {value!r}")
    return float(value)
