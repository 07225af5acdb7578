"""Whole tensors of models that are copied or split over processes, tensor by tensor; one class for each way."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, groupby
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary

from gradcascade.errors import InputError
from gradcascade.fields.kinds import Optimizer
from gradcascade.live.processes import compare, gathered_keys, is_first, meet, process_count
from gradcascade.live.tensors import GRADIENT, PARAMETER, LocalTensors, Taken, Tensors
from gradcascade.tensor_names import without_wrappers

if TYPE_CHECKING:
    from torch import Tensor, nn


def tensors_for(model: nn.Module, optimizer: Any, patterns: Sequence[str] | None) -> Tensors:
    """Where the tensors of this model and its optimizer come from."""
    return _way_of(model)(model, optimizer, patterns)


def _way_of(model: nn.Module) -> type[LocalTensors]:
    from torch.distributed.fsdp import FullyShardedDataParallel

    parameters = list(model.parameters())
    if any(hasattr(own, "ds_id") or getattr(own, "_hp_mapping", None) is not None for own in parameters):
        return DeepSpeedTensors
    if any(isinstance(module, FullyShardedDataParallel) for module in model.modules()):
        return FlatParameterTensors
    if any(hasattr(own, "full_tensor") for own in parameters):
        return DTensors
    return ReplicatedTensors if process_count() > 1 else LocalTensors


class ReplicatedTensors(LocalTensors):
    """Tensors that every process holds in full (DDP): the first process measures its own."""

    def __init__(self, model: nn.Module, optimizer: Any, patterns: Sequence[str] | None) -> None:
        super().__init__(model, optimizer, patterns)
        self.measures = is_first()
        self._to_compare = {GRADIENT, PARAMETER}

    def take(self, group: str, names: Sequence[str]) -> Taken:
        """The tensors of a group; gradients and parameters are compared over the processes once."""
        if group in self._to_compare:
            self._to_compare.discard(group)
            if not compare(f"{group}s", super().take(group, names)):
                self._to_compare.clear()
        for name, tensor in super().take(group, names):
            yield name, tensor if self.measures else None


class Meetings:
    """Has the processes wait for each other before they gather something for the first time."""

    _NUMBERS = count()

    def __init__(self) -> None:
        self._key = f"gradcascade-gather-{next(self._NUMBERS)}"
        self._met: set[str] = set()
        self._refusal: InputError | None = None

    def meet(self, what: str) -> None:
        """Wait if this was not gathered before; InputError, and at once from then on, if others do not come."""
        if self._refusal:
            raise InputError(str(self._refusal))
        if what in self._met:
            return
        try:
            meet(f"{self._key}-{what}")
        except InputError as error:
            self._refusal = error
            raise
        self._met.add(what)


class GatheredTensors(LocalTensors):
    """Tensors that all processes gather together, and the first gets."""

    def __init__(self, model: nn.Module, optimizer: Any, patterns: Sequence[str] | None) -> None:
        self.meetings = Meetings()
        self._prepare(model)
        super().__init__(model, optimizer, patterns)
        self.measures = is_first()

    def _prepare(self, model: nn.Module) -> None:
        """What is done before parameters are described."""

    def take(self, group: str, names: Sequence[str]) -> Taken:
        """The tensors of a group; all processes gather, the first gets them."""
        self.meetings.meet(group)
        for name, tensor in self._gathered(group, names):
            yield name, tensor if self.measures else None

    def _gathered(self, group: str, names: Sequence[str]) -> Taken:
        """Whole tensors on every process, or on the first."""
        return super().take(group, names)

    def state_keys(self) -> frozenset[str]:
        """What the optimizer keeps of the parameters, on any process."""
        self.meetings.meet("keys")
        return gathered_keys(self._own_keys())

    def _own_keys(self) -> frozenset[str]:
        return super().state_keys()


class DTensors(GatheredTensors):
    """Tensors that are DTensors (FSDP2, tensor parallel)."""

    @staticmethod
    def _shape_of(name: str, parameter: nn.Parameter) -> tuple[int, ...]:
        return tuple(parameter.shape)

    def _whole(self, name: str, tensor: Any) -> Tensor:
        return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


class FlatParameterTensors(GatheredTensors):
    """Tensors that FullyShardedDataParallel has put into flat ones: one of its units is whole at a time."""

    _SHAPES: ClassVar[WeakKeyDictionary[nn.Module, dict[str, tuple[int, ...]]]] = WeakKeyDictionary()
    """Whole shapes by model: they are gathered once."""

    def _prepare(self, model: nn.Module) -> None:
        from torch.distributed.fsdp import FullyShardedDataParallel as Fsdp

        self._fsdp = Fsdp
        units = [(name, module) for name, module in model.named_modules() if isinstance(module, Fsdp)]
        self._units: dict[str, Any] = {}
        if not all(unit._use_orig_params for _, unit in units):
            raise InputError(
                "FullyShardedDataParallel gives gradients of parameters only with use_orig_params=True; wrap the "
                "model so, or use FSDP2 (fully_shard)"
            )
        for prefix, unit in units:  # outer ones come first, so the innermost unit of a parameter is the last
            for name, _ in unit.named_parameters():
                self._units[without_wrappers(f"{prefix}.{name}" if prefix else name)] = unit
        if model not in self._SHAPES:
            self.meetings.meet("shapes")
            found = {}
            for prefix, unit in units:
                with self._summoned(unit):
                    for name, parameter in unit.named_parameters():
                        found[without_wrappers(f"{prefix}.{name}" if prefix else name)] = tuple(parameter.shape)
            self._SHAPES[model] = found
        self._shapes = self._SHAPES[model]

    def _shape_of(self, name: str, parameter: nn.Parameter) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._shapes.get(name, tuple(parameter.shape))

    def _summoned(self, unit: Any, gradients: bool = False) -> Any:
        return self._fsdp.summon_full_params(unit, recurse=False, writeback=False, with_grads=gradients)

    def _whole(self, name: str, tensor: Tensor) -> Tensor:
        return tensor

    def _gathered(self, group: str, names: Sequence[str]) -> Taken:
        """What the optimizer keeps is gathered at once, on every process."""
        if group not in (GRADIENT, PARAMETER):
            yield from self._states(group, names)
            return
        for unit, some in groupby(names, key=self._units.get):
            if unit is None:
                yield from super()._gathered(group, list(some))
                continue
            with self._summoned(unit, gradients=group == GRADIENT):
                for name, tensor in super()._gathered(group, list(some)):
                    yield name, _copy(tensor) if self.measures else None

    def _states(self, key: str, names: Sequence[str]) -> Taken:
        from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict

        # cpu_offload=True gives wrong numbers for tensors that are on the host already (torch 2.13).
        options = StateDictOptions(full_state_dict=True, cpu_offload=False)
        found: Any = get_optimizer_state_dict(
            self._model, [getattr(own, "optimizer", own) for own in self._optimizers], options=options
        )
        states = {without_wrappers(name): state for name, state in found.get("state", {}).items()}
        for name in names:
            yield name, states.get(name, {}).get(key)


class DeepSpeedTensors(GatheredTensors):
    """Tensors that DeepSpeed partitions (ZeRO 1 to 3), by its public functions; parameters in float32."""

    def __init__(self, model: nn.Module, optimizer: Any, patterns: Sequence[str] | None) -> None:
        super().__init__(model, optimizer, patterns)
        own = next(iter(model.parameters()))
        engine = [getattr(own, mark, None) for mark in ("_z3_optimizer", "_zero_optimizer")]
        self._keys: frozenset[str] = frozenset()
        self._zero: Any = next((one for one in (getattr(model, "optimizer", None), *engine, optimizer) if one), None)

    @staticmethod
    def _shape_of(name: str, parameter: nn.Parameter) -> tuple[int, ...]:
        return tuple(getattr(parameter, "ds_shape", parameter.shape))

    def _gathered(self, group: str, names: Sequence[str]) -> Taken:
        from deepspeed.utils import safe_get_full_fp32_param, safe_get_full_grad, safe_get_full_optimizer_state

        scale = float(getattr(self._zero, "loss_scale", 1.0) or 1.0)
        for name in names:
            parameter = self._now.stored[name]
            found = None
            if group == PARAMETER:
                found = safe_get_full_fp32_param(parameter) if parameter.requires_grad else _frozen(parameter)
            elif group == "step":
                found = self._step()
            elif parameter.requires_grad and group == GRADIENT:
                found = safe_get_full_grad(parameter)
                found = found if found is None or scale == 1.0 else found / scale
            elif parameter.requires_grad and group in self._keys:  # asked for any other, only some processes fail
                found = safe_get_full_optimizer_state(parameter, group)
            if found is not None and group != "step":
                found = found.reshape(self._now.shapes[name])
            yield name, found

    def state_keys(self) -> frozenset[str]:
        """What the optimizer keeps of the parameters."""
        self.meetings.meet("keys")
        self._keys = gathered_keys(frozenset(key for state in self._inner_states() for key in state))
        return self._keys

    def settings(self, name: str) -> Optimizer:
        """The optimizer's settings, if they are the same for all parameters."""
        found = {
            (
                *map(float, group.get("betas", (Optimizer.beta1, Optimizer.beta2))),
                float(group.get("eps", Optimizer.eps)),
            )
            for group in self._zero.param_groups
        }
        if len(found) > 1:
            raise InputError(
                "the groups of this DeepSpeed optimizer differ in betas or eps, and which parameter is in which is "
                "not public; leave direction out of fields"
            )
        beta1, beta2, eps = found.pop()
        return Optimizer(float(beta1), float(beta2), float(eps))

    def _inner_states(self) -> list[Any]:
        return list(getattr(getattr(self._zero, "optimizer", self._zero), "state", {}).values())

    def _step(self) -> Any:
        return next((state["step"] for state in self._inner_states() if "step" in state), None)


def _frozen(parameter: Any) -> Any:
    """A parameter that DeepSpeed's optimizer does not have; partitioned at stage 3."""
    if not hasattr(parameter, "ds_id"):
        return parameter.detach()
    import deepspeed

    with deepspeed.zero.GatheredParameters([parameter]):
        return parameter.detach().clone()


def _copy(tensor: Any) -> Any:
    """A copy that stays when the unit is sharded again."""
    return tensor if tensor is None else tensor.detach().clone()
