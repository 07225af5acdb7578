"""Gradients as they arrive in a backward pass, before an optimizer that steps within it uses and clears them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from gradcascade.errors import InputError
from gradcascade.fields.kinds import FieldKind, Optimizer
from gradcascade.live.fields import Field, FieldMaker, array_of, unscale


class ArrivingGradients:
    """Hooks on the parameters that fill fields with their gradients; `remove` takes the hooks away."""

    def __init__(self, maker: FieldMaker, kinds: Sequence[FieldKind]) -> None:
        import torch

        spread = torch.distributed.is_available() and torch.distributed.is_initialized()
        if kinds and spread and torch.distributed.get_world_size() > 1:
            raise InputError(
                "within backward each process has its own gradients, not their mean; measure with after_backward, or "
                "in a training of one process"
            )
        self._maker = maker
        self._fields = [(kind, maker.room()) for kind in kinds]
        self._arrived: set[str] = set()
        stored = maker.tensors.describe().stored
        parameters = {name: stored[name] for name in maker.names if stored[name].requires_grad}
        self._handles = [own.register_hook(self._hook(name, own)) for name, own in parameters.items() if kinds]

    def _hook(self, name: str, parameter: Any) -> Callable[[Any], None]:
        def keep(gradient: Any) -> None:
            total = gradient if parameter.grad is None else parameter.grad + gradient
            for kind, field in self._fields:
                made = kind.make({"gradient": array_of(total)}, Optimizer())
                np.copyto(self._maker.place(field, name), made, casting="same_kind")
            self._arrived.add(name)

        return keep

    def remove(self) -> None:
        """Take the hooks away."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def fields(self, loss_scale: float) -> Iterator[tuple[FieldKind, Field, list[str]]]:
        """The fields by kind, and the names of tensors for which nothing arrived: zeros."""
        missing = [name for name in self._maker.names if name not in self._arrived]
        for kind, field in self._fields:
            for name in missing:
                self._maker.place(field, name)[...] = 0
            unscale(field, loss_scale)
            yield kind, field, missing
