"""The factor that automatic mixed precision has put into the gradients at hand."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

from gradcascade.errors import InputError

AFTER_BACKWARD, AFTER_UNSCALING = "after backward", "after unscaling"


class LossScale:
    """Asks a GradScaler for its scale, and whether it has taken that out of the optimizers' gradients already."""

    def __init__(self, scaler: Any, optimizers: Sequence[Any]) -> None:
        self._scaler = scaler
        # The scaler knows an optimizer by its identity, and accelerate's wraps the one that it is called with.
        self._optimizers = [own for outer in optimizers for own in (outer, getattr(outer, "optimizer", None)) if own]

    def now(self) -> tuple[float, str]:
        """The factor that is in the gradients, and which moment that is."""
        if self._scaler is None or not self._scaler.is_enabled():
            return 1.0, AFTER_BACKWARD
        states = self._scaler._per_optimizer_states
        if any(states[id(own)]["stage"].value for own in self._optimizers if id(own) in states):
            return 1.0, AFTER_UNSCALING
        return float(self._scaler.get_scale()), AFTER_BACKWARD


def factor_of(loss_scale: Any) -> float:
    """A factor given as a number, or by the GradScaler that has put it into the gradients."""
    if not hasattr(loss_scale, "get_scale"):
        if not 0 < loss_scale < float("inf"):
            raise InputError(f"loss_scale must be a positive number or a GradScaler, got {loss_scale}")
        return float(loss_scale)
    if not loss_scale.is_enabled():
        return 1.0
    stages = {state["stage"].value > 0 for state in loss_scale._per_optimizer_states.values()}
    if len(stages) > 1:
        raise InputError(
            "this GradScaler has unscaled the gradients of some of its optimizers and not of others; give loss_scale "
            "as a number, or record before unscale_"
        )
    return 1.0 if stages == {True} else float(loss_scale.get_scale())


def scaler_in_use() -> float | None:
    """The scale of a GradScaler in this process that has scaled a loss and not unscaled gradients since, if any."""
    import torch

    kinds, found = [torch.amp.GradScaler], []
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        # Not gc.get_objects: a reference to a tuple that another thread is still building makes that thread fail.
        found += [own for own in gc.get_referrers(kind) if type(own) is kind]
    for own in found:
        if not own.is_enabled() or own._scale is None:
            continue
        if not any(state["stage"].value for state in own._per_optimizer_states.values()):
            return float(own.get_scale())
    return None
