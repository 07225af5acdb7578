"""What an optimizer keeps of the parameters, as checkpoints hold it, and which parameter each part belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradcascade.errors import InputError
from gradcascade.fields.kinds import FieldKind, Optimizer
from gradcascade.sources.stored import StoredTensor, shown
from gradcascade.tensor_names import plain_names

KEYS = ("optimizer", "optimizer_state_dict", "optimizer_state", "optimizer_states", "optim")
"""Where a trainer's file holds it."""

STEP = "step"
_ADAM = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq", STEP}
_OWN_DIRECTION = "another direction than Adam's follows from it, which is not computed; measure momentum alone"


@dataclass(frozen=True)
class Kept:
    """What is kept of one parameter: its tensors and numbers by PyTorch's names, and the settings of its group."""

    values: Mapping[str, Any] = field(default_factory=dict)
    group: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...] | None:
        """The parameter's shape, where something of that shape is kept."""
        found = (self.values.get(key) for key in ("exp_avg", "momentum_buffer", "exp_avg_sq"))
        return next((value.shape for value in found if isinstance(value, StoredTensor)), None)

    def number(self, key: str, where: Path) -> float | None:
        """A number that may be kept as a tensor, or in the group."""
        value = self.values.get(key, self.group.get(key))
        if isinstance(value, StoredTensor):
            if value.size != 1:
                raise InputError(f"{where}: {shown(key)} of the optimizer is of shape {value.shape}, not one number")
            value = value.read().reshape(()).item()
        return float(value) if isinstance(value, int | float) else None


@dataclass(frozen=True)
class OptimizerState:
    """The state of one optimizer: by the parameters' names, or by group and number where it has no names."""

    where: Path
    named: Mapping[str, Kept] = field(default_factory=dict)
    numbered: tuple[tuple[Kept, ...], ...] = ()

    def by_name(self, shapes: Mapping[str, tuple[int, ...]], ordered: bool) -> dict[str, Kept]:
        """By plain name, given all parameters of the model in its order, if the file that they are from keeps it."""
        if not self.numbered:
            plain = plain_names(self.named)
            return {plain[name]: kept for name, kept in self.named.items()}
        count = sum(map(len, self.numbered))
        if count != len(shapes):
            raise InputError(f"{self._nameless}; it has {count} of them and the model has {len(shapes)}")
        if any(kept.shape is None for group in self.numbered for kept in group):
            raise InputError(f"{self._nameless}; of some it keeps nothing that tells their shape")
        if not ordered:
            raise InputError(
                f"{self._nameless}, and the files of the model do not keep the order that would tell; save the "
                "optimizer's state with names (torch.distributed.checkpoint.state_dict.get_optimizer_state_dict)"
            )
        # In each group they have the model's order; which are in which group, only their shapes can tell.
        queues = [list(group) for group in self.numbered]
        of_shape: dict[tuple[int, ...], set[int]] = {}
        for number, group in enumerate(self.numbered):
            for kept in group:
                of_shape.setdefault(kept.shape or (), set()).add(number)
        found = {}
        for name, shape in shapes.items():
            groups = of_shape.get(shape, set())
            if len(groups) > 1:
                raise InputError(f"{self._nameless}, and parameters like {shown(name)}, {shape}, are in two groups")
            queue = queues[min(groups)] if groups else []
            if not queue or queue[0].shape != shape:
                raise InputError(f"{self._nameless}, and their shapes are not in the model's order at {shown(name)}")
            found[name] = queue.pop(0)
        return found

    @property
    def _nameless(self) -> str:
        return f"{self.where}: the optimizer's state has numbers for the parameters, not names"


def torch_state(value: Any, where: Path) -> OptimizerState:
    """The state of a PyTorch optimizer: ``state`` and ``param_groups``, by name (FSDP) or by number."""
    if isinstance(value, list | tuple):
        if len(value) > 1:
            raise InputError(f"{where} holds the states of {len(value)} optimizers, and only one can be read")
        value = next(iter(value), None)
    state = value.get("state") if isinstance(value, dict) else None
    if not isinstance(state, dict) or not state:
        raise InputError(f"{where} holds an optimizer's state of no kind that is read, or one that made no step yet")
    groups = value.get("param_groups")
    groups = [group for group in groups if isinstance(group, dict)] if isinstance(groups, list | tuple) else []
    named: dict[str, Kept] = {}
    numbered = []
    for group in groups:
        keys, names = _listed(group, "params"), _listed(group, "param_names")
        settings = {key: item for key, item in group.items() if key not in ("params", "param_names")}
        kept = [Kept(held if isinstance(held := state.get(key), dict) else {}, settings) for key in keys]
        if len(names) == len(keys) or (keys and all(isinstance(key, str) for key in keys)):
            named |= dict(zip(names if len(names) == len(keys) else keys, kept, strict=True))
        else:
            numbered.append(tuple(kept))
    if named and numbered:
        raise InputError(f"{where}: the optimizer's state has names for some parameters and numbers for others")
    if not groups and all(isinstance(key, str) for key in state):
        named = {key: Kept(held) for key, held in state.items() if isinstance(held, dict)}
    if not named and not numbered:
        raise InputError(f"{where}: the optimizer's state says neither names nor groups of its parameters")
    return OptimizerState(where, named, tuple(numbered))


def _listed(group: Mapping[str, Any], key: str) -> list[Any]:
    found = group.get(key)
    return list(found) if isinstance(found, list | tuple) else []


def way_of(kind: FieldKind, kept: Sequence[Kept]) -> tuple[str, ...] | None:
    """The first of a kind's ways that what is kept of the first parameter allows; None if none does."""
    first = kept[0]
    held = {key for key, value in first.values.items() if value is not None} | ({STEP} & set(first.group))
    return next((way for way in kind.groups if set(way) <= held), None)


def settings_of(kept: Kept, given: Optimizer | None, where: Path) -> Optimizer:
    """Betas and epsilon of Adam from the file, else as given; refused where another rule than Adam's applies."""
    group = kept.group
    if others := sorted(key for key, value in kept.values.items() if key not in _ADAM and value is not None):
        raise InputError(f"{where}: the optimizer keeps {shown(others[0])}, so that {_OWN_DIRECTION}")
    if group.get("bias_correction") in (False, 0):
        raise InputError(f"{where}: the optimizer's bias_correction is off, so that {_OWN_DIRECTION}")
    if "decoupled_weight_decay" in group and "amsgrad" not in group:  # torch's RAdam has the state of Adam
        raise InputError(f"{where}: the optimizer's settings are those of RAdam, so that {_OWN_DIRECTION}")
    if group.get("amsgrad") and "max_exp_avg_sq" not in kept.values:
        raise InputError(f"{where}: the optimizer has amsgrad and keeps no max_exp_avg_sq; {_OWN_DIRECTION}")
    match group.get("betas"), group.get("eps"):
        case (int() | float() as beta1, int() | float() as beta2), int() | float() as eps:
            return Optimizer(beta1, beta2, eps)
    if given is None:
        raise InputError(
            f"{where} does not say the betas and eps of the optimizer; give them in the plan, "
            "optimizer = {beta1 = 0.9, beta2 = 0.999, eps = 1e-8}"
        )
    return given


def find_state(values: Any, where: Path) -> OptimizerState | None:
    """The state in what a trainer's file holds, or in a file that holds it alone; None if there is none."""
    if not isinstance(values, dict):
        return None
    if "state" in values and "param_groups" in values:
        return torch_state(values, where)
    found = next((key for key in KEYS if values.get(key)), None)
    return torch_state(values[found], where) if found else None
