"""Finds the peak rate of an optimizer: a grid on the smallest scale, extended while its best lies at an end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gradcascade.training.experiment.optimizers import OPTIMIZERS
from gradcascade.training.experiment.plan import ExperimentPlan, TuningPlan

RULE = (
    "lowest held-out loss after all steps on the smallest scale, of a grid of rates that is extended while the best "
    "lies at its end; of equal losses the lower rate, and a divergent run has none"
)


@dataclass(frozen=True)
class Tuned:
    """What trying rates found."""

    rate: float | None
    """The best one; None where every rate diverged."""
    at_end: bool
    """Whether it is the lowest or highest that was tried, so that a better one may lie beyond."""


def grid(plan: TuningPlan, middle: float) -> tuple[float, ...]:
    """The rates that are tried at first, ascending."""
    half = (plan.rates - 1) // 2
    return tuple(middle * plan.factor ** (number - half) for number in range(plan.rates))


def best(losses: Mapping[float, float | None]) -> Tuned:
    """The best of the rates, by their losses; None stands for a run that diverged."""
    there = sorted((loss, rate) for rate, loss in losses.items() if loss is not None and math.isfinite(loss))
    if not there:
        return Tuned(None, True)
    rate = there[0][1]
    return Tuned(rate, rate in (min(losses), max(losses)))


def next_rate(plan: TuningPlan, losses: Mapping[float, float | None]) -> float | None:
    """The rate to try next, once all in hand are finished; None where the search is over."""
    found = best(losses)
    if not found.at_end or len(losses) >= plan.rates + plan.further:
        return None
    if found.rate is not None and found.rate == max(losses) and len(losses) > 1:
        return max(losses) * plan.factor
    return min(losses) / plan.factor


def rate_at(plan: ExperimentPlan, optimizer: str, rate: float, width: int) -> float:
    """The rate at a width, from that of the smallest."""
    power = OPTIMIZERS[optimizer].width_power if plan.tuning.transfer == "width" else 0.0
    return rate * (width / plan.widths[0]) ** power


def rule_note(plan: ExperimentPlan) -> list[str]:
    """That optimizers whose rates go to larger scales in different ways differ in that too."""
    powers = {name: OPTIMIZERS[name].width_power for name in plan.optimizers}
    if plan.tuning.transfer == "same" or len(plan.widths) < 2 or len(set(powers.values())) < 2:
        return []
    listed = ", ".join(f"{name} {power:g}" for name, power in powers.items())
    return [
        f"the rates of the optimizers go with different powers of the width ({listed}), which may itself be what "
        'differs between them; compare with transfer = "same" in [tuning]'
    ]


def neighbours(plan: TuningPlan, rate: float) -> tuple[float, float, float]:
    """The rate, with the next lower and higher ones."""
    return rate / plan.factor, rate, rate * plan.factor


def transfer_note(family: str, rates: Mapping[str, float], largest: Mapping[str, Any] | None) -> list[str]:
    """What the rule of transfer costs at the largest scale, where a neighbour of the rate is better."""
    if largest is None:
        return []
    own = rates[largest["scale"]]
    losses = {row["rate"]: row["loss"] for row in largest["tried"]}
    found = best(losses).rate
    if found is None or found == own:
        return []
    of_own = "diverges" if losses[own] is None else f"at {losses[own]:.3f}"
    return [
        f"{family} at {largest['scale']}, with the seed of the tuning: rate {found:g} ends at {losses[found]:.3f} "
        f"nats per byte, the transferred one, {own:g}, {of_own}"
    ]
