"""The one place where a monitor gets a live model's tensors from: group by group, tensor by tensor, each whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from gradcascade.errors import InputError
from gradcascade.fields.kinds import Optimizer
from gradcascade.live.parameters import ModelParameters, parameters_of
from gradcascade.probe.tensor import refuse_part

if TYPE_CHECKING:
    from torch import Tensor, nn

GRADIENT, PARAMETER = "gradient", "parameter"
"""Groups of every model; any other group is a key of the optimizer's state, such as ``exp_avg``."""

Taken = Iterator[tuple[str, "Tensor | None"]]


class Tensors(Protocol):
    """A model's whole tensors, wherever they lie."""

    measures: bool
    """Whether this process gets them; the others only take part in gathering."""

    def describe(self) -> ModelParameters:
        """The parameters as they are now, with their whole shapes in the manifest."""
        ...

    def take(self, group: str, names: Sequence[str]) -> Taken:
        """The tensors of a group in this order, None where there is none; nothing where `measures` is false."""
        ...

    def state_keys(self) -> frozenset[str]:
        """What the optimizer keeps of the parameters; nothing before its first step."""
        ...

    def settings(self, name: str) -> Optimizer:
        """The optimizer's settings for a parameter."""
        ...


def tensors_for(model: nn.Module, optimizer: Any, patterns: Sequence[str] | None) -> Tensors:
    """Where the tensors of this model and optimizer come from."""
    return LocalTensors(model, optimizer, patterns)


class LocalTensors:
    """Tensors that this process holds in full; parts of tensors are refused."""

    measures = True

    def __init__(self, model: nn.Module, optimizer: Any, patterns: Sequence[str] | None) -> None:
        self._model, self._optimizer, self._patterns = model, optimizer, patterns
        self._now = parameters_of(model, patterns)

    def describe(self) -> ModelParameters:
        """The parameters as they are now."""
        self._now = parameters_of(self._model, self._patterns)
        return self._now

    def take(self, group: str, names: Sequence[str]) -> Taken:
        """The tensors of a group in this order."""
        for name in names:
            parameter = self._now.stored[name]
            if group == PARAMETER:
                found = parameter
            elif group == GRADIENT:
                found = parameter.grad
            else:
                found = self._optimizer.state.get(parameter, {}).get(group)
            if found is not None and hasattr(found, "detach"):
                refuse_part(name, found)
            yield name, found

    def state_keys(self) -> frozenset[str]:
        """What the optimizer keeps of the parameters; refused if it holds none of them."""
        if self._optimizer is None:
            raise InputError("momentum and direction are the optimizer's; give it: gc.Monitor(model, optimizer)")
        held = {id(parameter) for group in self._optimizer.param_groups for parameter in group["params"]}
        if not any(id(parameter) in held for parameter in self._now.field.values()):
            raise InputError(
                "the optimizer holds none of the parameters that are measured (it may keep copies of its own); leave "
                "its kinds of field out, or give the optimizer of these parameters"
            )
        state = self._optimizer.state
        found = [state[parameter] for parameter in self._now.field.values() if parameter in state]
        return frozenset(key for own in found for key, value in own.items() if value is not None)

    def settings(self, name: str) -> Optimizer:
        """The optimizer's settings for a parameter."""
        parameter = self._now.stored[name]
        for group in self._optimizer.param_groups:
            if any(other is parameter for other in group["params"]):
                betas = group.get("betas", (Optimizer.beta1, Optimizer.beta2))
                return Optimizer(float(betas[0]), float(betas[1]), float(group.get("eps", Optimizer.eps)))
        return Optimizer()
