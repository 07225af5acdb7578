"""Checkpoints of DeepSpeed: weights and moments from the partitions of the optimizer (ZeRO 1 to 3), or whole (0).

In ``global_stepN/`` the ``*_optim_states.pt`` hold, by rank, flat parts of the float32 weights and moments;
``mp_rank_00_model_states.pt`` (stage 3: ``zero_pp_rank_0_mp_rank_00_model_states.pt``) says which parameters they are
of. How they are laid end to end follows DeepSpeed's own ``zero_to_fp32.py``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradcascade.errors import InputError
from gradcascade.sources.formats.torch_save import open_values
from gradcascade.sources.optimizer_state import STEP, Kept, OptimizerState, find_state
from gradcascade.sources.pickles.unpickler import Global
from gradcascade.sources.pieces import Piece, flat_joined
from gradcascade.sources.stored import StoredTensor, checked_shape, shown
from gradcascade.sources.tensors import open_tensors

MODEL_STATES = re.compile(r"(?:zero_pp_rank_0_)?mp_rank_00_model_states\.pt")
_OPTIMIZER = re.compile(r"(?:bf16_)?zero_pp_rank_([0-9]{1,5})_mp_rank_([0-9]{1,3})_optim_states\.pt")
_OTHER_PARTS = re.compile(r"(?:.*_)?mp_rank_(?!00_)[0-9]+_(?:model|optim)_states\.pt|.*expert_[0-9]+_.*_states\.pt")
_MOST_PADDING = 4096  # entries of a group that only fill up the ranks
_AGAIN = "copy all files of the checkpoint, or convert it with DeepSpeed's zero_to_fp32.py"


@dataclass(frozen=True)
class _Partitions:
    """What the ranks hold: their parts of the optimizer, and which parameters these are of."""

    where: Path
    shapes: list[dict[str, tuple[int, ...]]]
    """Of each group of parameters, the shapes by name."""
    ranks: tuple[tuple[Path, Mapping[str, Any]], ...]
    stage: int
    frozen: Mapping[str, StoredTensor]

    @property
    def masters(self) -> list[list[StoredTensor]]:
        """By rank, the flat float32 weights."""
        key = "fp32_flat_groups" if self.stage == 3 else "single_partition_of_fp32_groups"
        found = []
        for path, part in self.ranks:
            flat = part.get(key)
            if not isinstance(flat, list | tuple) or not all(isinstance(values, StoredTensor) for values in flat):
                raise InputError(f"{path} has no {key}; {_AGAIN}")
            found.append(list(flat))
        return found

    def laid(self, rows: list[list[StoredTensor]]) -> dict[str, StoredTensor]:
        """Tensors by name, from the flat parts of every rank."""
        if self.stage == 3:
            return _stage_3(self.shapes, rows, self.where)
        return _stage_1(self.shapes, rows, self.where, self.ranks[0][1].get("param_alignment_paddings"))


def open_zero(model_states: Path) -> dict[str, StoredTensor]:
    """Describe the float32 weights of a checkpoint by its model states; its partitions must make them up."""
    saved = _partitions(model_states, open_values(model_states, _known))
    if saved is None:
        return open_tensors(model_states)  # stage 0: the model is whole in it
    return {**saved.laid(saved.masters), **saved.frozen}


def zero_state(model_states: Path) -> OptimizerState | None:
    """The optimizer's state of a checkpoint, put together as the weights are."""
    state = open_values(model_states, _known)
    saved = _partitions(model_states, state)
    if saved is None:
        return find_state(state, model_states)
    masters = saved.masters
    held = [_held(path, part) for path, part in saved.ranks]
    kept, groups = [states for states, _ in held], held[0][1]
    for (path, _), states, flat in zip(saved.ranks, kept, masters, strict=True):
        if len(states) != len(flat):
            raise InputError(f"{path} has {len(states)} states and {len(flat)} groups of parameters; {_AGAIN}")
    found: dict[str, dict[str, Any]] = {name: {} for named in saved.shapes for name in named}
    keys = dict.fromkeys(key for states in kept for state in states for key, value in state.items() if _flat(value))
    for key in keys:
        rows = []
        for (path, _), states, flat in zip(saved.ranks, kept, masters, strict=True):
            own = [state.get(key) if row.size else row for state, row in zip(states, flat, strict=True)]
            if not all(map(_like, own, flat)):
                raise InputError(f"{path}: {shown(key)} is not there, or not as long as the weights; {_AGAIN}")
            rows.append([value.stretch(0, row.size) for value, row in zip(own, flat, strict=True) if value])
        for name, tensor in saved.laid(rows).items():
            found[name][key] = tensor
    steps = _steps(saved, kept, groups) or _trained(state)
    settings = [{key: value for key, value in group.items() if key not in ("params", "step")} for group in groups]
    if len(settings) != len(saved.shapes) and any(one != settings[0] for one in settings):
        settings = []
    result = {}
    for number, named in enumerate(saved.shapes):
        group = (settings[number] if number < len(settings) else settings[0]) if settings else {}
        own = {STEP: steps[min(number, len(steps) - 1)]} if steps else {}
        result |= {name: Kept({**found[name], **own}, group) for name in named}
    return OptimizerState(model_states, result)


def _like(value: Any, master: StoredTensor) -> bool:
    """Whether there is an entry for every weight; the last rank's may be padded, where its weights are not."""
    return _flat(value) and master.size <= value.size < master.size + _MOST_PADDING


def _flat(value: Any) -> bool:
    return isinstance(value, StoredTensor) and len(value.shape) == 1


def _held(path: Path, part: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """A rank's state of every flat group, and the settings of the groups of parameters, where it has them."""
    held = part.get("base_optimizer_state", part.get("optimizer_state_dict"))
    if isinstance(held, list | tuple):  # written to be loaded by other numbers of ranks
        step = part.get("base_optimizer_state_step")
        more = {} if step is None else {STEP: step}
        return [{**_mapping(state), **more} for state in held], []
    state = _mapping(_mapping(held).get("state"))
    groups = [_mapping(group) for group in _mapping(held).get("param_groups") or ()]
    if not state or not groups:
        raise InputError(f"{path} holds no state of the optimizer (base_optimizer_state); {_AGAIN}")
    own = []
    for group in groups:
        more = {STEP: group[STEP]} if STEP in group else {}
        own += [{**more, **_mapping(state.get(key))} for key in group.get("params") or ()]
    return own, groups


def _steps(saved: _Partitions, kept: list[list[Mapping[str, Any]]], groups: Sequence[Any]) -> list[float]:
    """The optimizer's step of every group; none where it keeps none. All ranks must be at the same."""
    numbers = [[Kept(state).number(STEP, saved.where) for state in states] for states in kept]
    if any(own != numbers[0] for own in numbers) or (saved.stage == 3 and len(set(numbers[0])) > 1):
        raise InputError(f"{saved.where}: the ranks' optimizers are at different steps; {_AGAIN}")
    found = numbers[0][:1] if saved.stage == 3 else numbers[0]
    return [number for number in found if number is not None] if None not in found else []


def _trained(state: Mapping[str, Any]) -> list[float]:
    """Steps of the training, less those that the optimizer skipped, where it keeps no number of its own."""
    done, skipped = state.get("global_steps"), state.get("skipped_steps", 0)
    return [float(done - skipped)] if type(done) is int and type(skipped) is int else []


def _partitions(model_states: Path, state: Mapping[str, Any]) -> _Partitions | None:
    """What lies beside a file of model states; None for stage 0, where all is whole in it."""
    folder = model_states.parent
    if other := next((path.name for path in sorted(folder.iterdir()) if _OTHER_PARTS.fullmatch(path.name)), None):
        raise InputError(
            f"{folder} is split over tensor-parallel ranks or experts ({shown(other)}), which is not read; convert "
            "it with DeepSpeed's zero_to_fp32.py"
        )
    ranks = {int(match[1]): path for path in folder.iterdir() if (match := _OPTIMIZER.fullmatch(path.name))}
    if not ranks and state.get("param_shapes") is None and state.get("module"):
        return None
    shapes = _shapes(state, model_states)
    if not ranks:
        raise InputError(f"{folder} holds no *_optim_states.pt, where the weights are; {_AGAIN}")
    parts = [(ranks[rank], _optimizer(open_values(ranks[rank], _known), ranks[rank])) for rank in sorted(ranks)]
    first = parts[0][1]
    stage, count = first.get("zero_stage", 1), first.get("partition_count")
    world = max(count) if isinstance(count, list | tuple) and count else count
    stage = stage if isinstance(stage, int) else getattr(stage, "arguments", (1,))[0]
    if not isinstance(world, int) or sorted(ranks) != list(range(world)):
        raise InputError(
            f"{folder} holds the optimizer states of {len(ranks)} ranks of {world}; a part of the weights measured "
            f"would pass for the whole: {_AGAIN}"
        )
    fragments = _mapping(state.get("frozen_param_fragments")).items() if stage != 3 else ()
    frozen = {str(name): value for name, value in fragments if isinstance(value, StoredTensor)}
    return _Partitions(model_states, shapes, tuple(parts), stage, frozen)


def _stage_1(
    shapes: list[dict[str, tuple[int, ...]]], groups: list, where: Path, paddings: Any
) -> dict[str, StoredTensor]:
    """Every group of parameters is one vector, cut over the ranks."""
    found: dict[str, StoredTensor] = {}
    if any(len(own) != len(shapes) for own in groups):
        raise InputError(f"{where} names {len(shapes)} groups of parameters and a rank holds others; {_AGAIN}")
    for number, named in enumerate(shapes):
        rows = [own[number] for own in groups]
        ends = [0]
        for row in rows:
            ends.append(ends[-1] + row.size)
        gaps = list(paddings[number]) if paddings else [0] * len(named)
        if len(gaps) != len(named):
            raise InputError(f"{where} names {len(named)} parameters of a group and {len(gaps)} paddings; {_AGAIN}")
        needed = sum(map(math.prod, named.values())) + sum(gaps)
        # The end is padded so that every rank has as many entries, twice as many for the transfer's sake.
        if not needed <= ends[-1] < needed + 4 * len(rows) + 2:
            raise InputError(f"{where}: {needed} entries belong to a group and its ranks hold {ends[-1]}; {_AGAIN}")
        start = 0
        for (name, shape), gap in zip(named.items(), gaps, strict=True):
            found[name] = flat_joined(name, shape, _cut(rows, ends, start, start + math.prod(shape)), where)
            start += math.prod(shape) + gap
    return found


def _cut(rows: list[StoredTensor], ends: list[int], first: int, last: int) -> list[Piece]:
    """Entries ``first`` to ``last`` of a vector whose parts lie in rows."""
    pieces = []
    for number, row in enumerate(rows):
        low, high = max(first, ends[number]), min(last, ends[number + 1])
        if low < high:
            pieces.append(Piece((low - first,), row.stretch(low - ends[number], high - low)))
    return pieces


def _stage_3(shapes: list[dict[str, tuple[int, ...]]], groups: list, where: Path) -> dict[str, StoredTensor]:
    """Every parameter is cut over the ranks for itself, and a rank's parts lie end to end over its groups."""
    found: dict[str, StoredTensor] = {}
    ranks = []
    for own in groups:
        ends = [0]
        for row in own:
            ends.append(ends[-1] + row.size)
        ranks.append((own, ends))
    start = 0
    for named in shapes:
        for name, shape in named.items():
            entries = math.prod(shape)
            share = -(-entries // len(ranks))
            pieces: list[Piece] = []
            for rank, (own, ends) in enumerate(ranks):
                here = min(share, entries - rank * share)
                if here <= 0:
                    break
                if start + here > ends[-1]:
                    raise InputError(f"{where}: the parts of {shown(name)} are not all there; {_AGAIN}")
                pieces += [
                    Piece((rank * share + piece.start[0],), piece.tensor)
                    for piece in _cut(own, ends, start, start + here)
                ]
            found[name] = flat_joined(name, shape, pieces, where)
            start += share
    return found


def _shapes(state: Mapping[str, Any], where: Path) -> list[dict[str, tuple[int, ...]]]:
    shapes = state.get("param_shapes")
    shapes = [shapes] if isinstance(shapes, dict) else shapes
    if not isinstance(shapes, list | tuple) or not shapes or not all(isinstance(named, dict) for named in shapes):
        raise InputError(f"{where} does not say which parameters its partitions hold (param_shapes); {_AGAIN}")
    return [
        {str(name): checked_shape(shape, f"{where}: {shown(name)}") for name, shape in named.items()}
        for named in shapes
    ]


def _optimizer(state: Mapping[str, Any], where: Path) -> Mapping[str, Any]:
    found = state.get("optimizer_state_dict")
    if not isinstance(found, dict):
        raise InputError(f"{where} holds no optimizer_state_dict; {_AGAIN}")
    return found


def _known(reference: Global) -> bool:
    """Names of DeepSpeed's own objects beside the tensors: loss scalers, stages, fragments; none is ever built."""
    return reference.module.split(".")[0] in ("deepspeed", "argparse", "copyreg", "enum") or str(reference) in (
        "builtins.object",
        "__builtin__.object",
        "torch.Size",
        "torch.device",
    )


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, dict) else {}
