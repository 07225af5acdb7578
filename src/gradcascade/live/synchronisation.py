"""Whether the gradients at hand are averaged over the processes of DistributedDataParallel."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

_MARK = "require_backward_grad_sync"


class Synchronisation:
    """Notes at every forward pass of a DDP model whether it averages its gradients; `close` removes the hooks."""

    def __init__(self, model: nn.Module) -> None:
        state = {"averages": True}

        def note(module: nn.Module, _: object) -> None:
            state["averages"] = bool(getattr(module, _MARK))

        handles = [module.register_forward_pre_hook(note) for module in model.modules() if hasattr(module, _MARK)]
        self._state = state
        self.close = weakref.finalize(self, lambda: [handle.remove() for handle in handles])
        """Also called when this object is gone."""

    @property
    def averages(self) -> bool:
        """Whether the last forward pass was outside of ``no_sync()``."""
        return self._state["averages"]
