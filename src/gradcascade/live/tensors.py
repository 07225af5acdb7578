"""The one place where a monitor gets a live model's tensors from: group by group, tensor by tensor, each whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from gradcascade.errors import InputError
from gradcascade.fields.kinds import Optimizer
from gradcascade.live.parameters import ModelParameters, parameters_of
from gradcascade.probe.tensor import refuse_part

if TYPE_CHECKING:
    from torch import nn

    from gradcascade.live.parameters import ShapeOf

GRADIENT, PARAMETER = "gradient", "parameter"
"""Groups of every model; any other group is a key of the optimizer's state, such as ``exp_avg``."""

Taken = Iterator[tuple[str, Any]]


class Tensors(Protocol):
    """A model's whole tensors, wherever they lie."""

    measures: bool
    """Whether this process gets them; the others only take part in gathering."""

    def describe(self) -> ModelParameters:
        """The parameters as they are now, with their whole shapes in the manifest."""
        ...

    def take(self, group: str, names: Sequence[str]) -> Taken:
        """The tensors of a group in this order, None where there is none or `measures` is false.

        All processes must ask for the next tensor equally often, and in the same order of groups.
        """
        ...

    def state_keys(self) -> frozenset[str]:
        """What the optimizer keeps of the parameters; nothing before its first step."""
        ...

    def settings(self, name: str) -> Optimizer:
        """The optimizer's settings for a parameter."""
        ...


class LocalTensors:
    """Tensors that this process holds in full; parts of tensors are refused."""

    measures = True
    _shape_of: ShapeOf | None = None

    def __init__(self, model: nn.Module, optimizer: Any, patterns: Sequence[str] | None) -> None:
        self._model, self._patterns = model, patterns
        self._optimizers = optimizers_of(optimizer)
        self._now = self.describe()

    def describe(self) -> ModelParameters:
        """The parameters as they are now."""
        self._now = parameters_of(self._model, self._patterns, self._shape_of)
        groups = [group for own in self._optimizers for group in own.param_groups]
        self._groups = {id(parameter): group for group in groups for parameter in group["params"]}
        return self._now

    def take(self, group: str, names: Sequence[str]) -> Taken:
        """The tensors of a group in this order."""
        for name in names:
            parameter = self._now.stored[name]
            if group == PARAMETER:
                found = parameter
            elif group == GRADIENT:  # one that was frozen may keep its last gradient
                found = parameter.grad if parameter.requires_grad else None
            else:
                found = self._state(parameter).get(group)
            yield name, self._whole(name, found) if hasattr(found, "detach") else found

    def state_keys(self) -> frozenset[str]:
        """What the optimizer keeps of the parameters; refused if it holds none of them."""
        if not self._optimizers:
            raise InputError("momentum and direction are the optimizer's; give it: gc.Monitor(model, optimizer)")
        parameters = self._now.field.values()
        if not any(id(parameter) in self._groups for parameter in parameters):
            raise InputError(
                "the optimizer holds none of the parameters that are measured (it may keep copies of its own); leave "
                "its kinds of field out, or give the optimizer of these parameters"
            )
        states = [self._state(parameter) for parameter in parameters]
        return frozenset(key for state in states for key, value in state.items() if value is not None)

    def settings(self, name: str) -> Optimizer:
        """The optimizer's settings for a parameter."""
        group = self._groups.get(id(self._now.stored[name]), {})
        beta1, beta2 = group.get("betas", (Optimizer.beta1, Optimizer.beta2))
        return Optimizer(float(beta1), float(beta2), float(group.get("eps", Optimizer.eps)))

    def _state(self, parameter: nn.Parameter) -> Mapping[str, Any]:
        return next((own.state[parameter] for own in self._optimizers if parameter in own.state), {})

    def _whole(self, name: str, tensor: Any) -> Any:
        """The tensor, of which this process must hold all."""
        refuse_part(name, tensor)
        return tensor


def optimizers_of(optimizer: Any) -> list[Any]:
    """The optimizers of one argument: none, one, or several; what wraps them (accelerate) passes their state on."""
    if optimizer is None:
        return []
    return list(optimizer) if isinstance(optimizer, list | tuple) else [optimizer]
