"""Whole tensors of models that are copied or split over processes, tensor by tensor; one class for each way."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from gradcascade.errors import InputError
from gradcascade.fields.kinds import Optimizer
from gradcascade.live.processes import compare_gradients, gathered_keys, is_first, process_count
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
        self._compared = False

    def take(self, group: str, names: Sequence[str]) -> Taken:
        """The tensors of a group; gradients are compared over the processes once."""
        if group == GRADIENT and not self._compared:
            self._compared = True
            compare_gradients(super().take(group, names))
        for name, tensor in super().take(group, names):
            yield name, tensor if self.measures else None


class DTensors(LocalTensors):
    """Tensors that are DTensors (FSDP2, tensor parallel)."""

    def __init__(self, model: nn.Module, optimizer: Any, patterns: Sequence[str] | None) -> None:
        super().__init__(model, optimizer, patterns)
        self.measures = is_first()

    @staticmethod
    def _shape_of(name: str, parameter: nn.Parameter) -> tuple[int, ...]:
        return tuple(parameter.shape)

    def _whole(self, name: str, tensor: Any) -> Tensor:
        return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor

    def take(self, group: str, names: Sequence[str]) -> Taken:
        """The tensors of a group; all processes gather, the first gets them."""
        for name, tensor in super().take(group, names):
            yield name, tensor if self.measures else None

    def state_keys(self) -> frozenset[str]:
        """What the optimizer keeps of the parameters."""
        return gathered_keys(super().state_keys())


class FlatParameterTensors(LocalTensors):
    """Tensors that FullyShardedDataParallel has put into flat ones: one of its units is whole at a time."""

    def __init__(self, model: nn.Module, optimizer: Any, patterns: Sequence[str] | None) -> None:
        from torch.distributed.fsdp import FullyShardedDataParallel as Fsdp

        self._fsdp = Fsdp
        units = [(name, module) for name, module in model.named_modules() if isinstance(module, Fsdp)]
        self._units: dict[str, Any] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        for prefix, unit in units:  # outer ones come first, so the innermost unit of a parameter is the last
            if not unit._use_orig_params:
                raise InputError(
                    "FullyShardedDataParallel gives gradients of parameters only with use_orig_params=True; wrap the "
                    "model so, or use FSDP2 (fully_shard)"
                )
            with self._summoned(unit):
                for name, parameter in unit.named_parameters():
                    plain = without_wrappers(f"{prefix}.{name}" if prefix else name)
                    self._units[plain], self._shapes[plain] = unit, tuple(parameter.shape)
        super().__init__(model, optimizer, patterns)
        self.measures = is_first()

    def _shape_of(self, name: str, parameter: nn.Parameter) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._shapes.get(name, tuple(parameter.shape))

    def _summoned(self, unit: Any, gradients: bool = False) -> Any:
        return self._fsdp.summon_full_params(unit, recurse=False, writeback=False, with_grads=gradients)

    def _whole(self, name: str, tensor: Tensor) -> Tensor:
        return tensor

    def take(self, group: str, names: Sequence[str]) -> Taken:
        """The tensors of a group; what the optimizer keeps is gathered at once, on every process."""
        if group not in (GRADIENT, PARAMETER):
            yield from self._states(group, names)
            return
        for unit, some in groupby(names, key=self._units.get):
            if unit is None:
                yield from self._first(super().take(group, list(some)))
                continue
            with self._summoned(unit, gradients=group == GRADIENT):
                yield from self._first((name, _copy(tensor)) for name, tensor in super().take(group, list(some)))

    def _first(self, taken: Taken) -> Taken:
        for name, tensor in taken:
            yield name, tensor if self.measures else None

    def _states(self, key: str, names: Sequence[str]) -> Taken:
        from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict

        # cpu_offload=True gives wrong numbers for tensors that are on the host already (torch 2.13).
        options = StateDictOptions(full_state_dict=True, cpu_offload=False)
        found: Any = get_optimizer_state_dict(
            self._model, [getattr(own, "optimizer", own) for own in self._optimizers], options=options
        )
        states = {without_wrappers(name): state for name, state in found.get("state", {}).items()}
        for name in names:
            yield name, states.get(name, {}).get(key) if self.measures else None

    def state_keys(self) -> frozenset[str]:
        """What the optimizer keeps of the parameters."""
        return gathered_keys(super().state_keys())


class DeepSpeedTensors(LocalTensors):
    """Tensors that DeepSpeed partitions (ZeRO 1 to 3), by its public functions; parameters in float32."""

    def __init__(self, model: nn.Module, optimizer: Any, patterns: Sequence[str] | None) -> None:
        super().__init__(model, optimizer, patterns)
        self.measures = is_first()
        own = next(iter(model.parameters()))
        engine = [getattr(own, mark, None) for mark in ("_z3_optimizer", "_zero_optimizer")]
        self._keys: frozenset[str] = frozenset()
        self._zero: Any = next((one for one in (getattr(model, "optimizer", None), *engine, optimizer) if one), None)

    @staticmethod
    def _shape_of(name: str, parameter: nn.Parameter) -> tuple[int, ...]:
        return tuple(getattr(parameter, "ds_shape", parameter.shape))

    def take(self, group: str, names: Sequence[str]) -> Taken:
        """The tensors of a group; all processes gather, the first gets them."""
        from deepspeed.utils import safe_get_full_fp32_param, safe_get_full_grad, safe_get_full_optimizer_state

        scale = float(getattr(self._zero, "loss_scale", 1.0) or 1.0)
        for name in names:
            parameter = self._now.stored[name]
            found = None
            if group == PARAMETER:
                found = safe_get_full_fp32_param(parameter)
            elif group == "step":
                found = self._step()
            elif parameter.requires_grad and group == GRADIENT:
                found = safe_get_full_grad(parameter)
                found = found if found is None or scale == 1.0 else found / scale
            elif parameter.requires_grad and group in self._keys:  # asked for any other, only some processes fail
                found = safe_get_full_optimizer_state(parameter, group)
            if found is not None and group != "step":
                found = found.reshape(self._now.shapes[name])
            yield name, found if self.measures else None

    def state_keys(self) -> frozenset[str]:
        """What the optimizer keeps of the parameters."""
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


def _copy(tensor: Any) -> Any:
    """A copy that stays when the unit is sharded again."""
    return tensor if tensor is None else tensor.detach().clone()
