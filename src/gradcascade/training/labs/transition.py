"""When a run passes its learning transition."""

from __future__ import annotations

from collections.abc import Iterable


def first_above(series: Iterable[tuple[int, float]], threshold: float) -> int | None:
    """First step of a series of (step, value) at which the value is above a threshold; None if it never is."""
    return next((step for step, value in series if value > threshold), None)
