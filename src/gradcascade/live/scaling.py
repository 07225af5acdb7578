"""The factor that automatic mixed precision has put into the gradients at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
