"""What chance does to a share that was counted in repetitions."""

from __future__ import annotations

from math import sqrt

NORMAL_95 = 1.959964


def chance_band(nominal: float, repetitions: int) -> tuple[float, float]:
    """Range, in percent, that holds a counted share of 95 in 100 times where ``nominal`` percent is true.

    The normal approximation of the binomial; it may reach beyond 0 and 100.
    """
    reach = NORMAL_95 * sqrt(nominal * (100 - nominal) / max(repetitions, 1))
    return nominal - reach, nominal + reach
