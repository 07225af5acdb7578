"""Checkpoints of DeepSpeed: float32 weights from the partitions of the optimizer (ZeRO 1 to 3), or the model (0).

In ``global_stepN/`` the ``*_optim_states.pt`` hold, by rank, flat parts of the float32 weights;
``mp_rank_00_model_states.pt`` (stage 3: ``zero_pp_rank_0_mp_rank_00_model_states.pt``) says which parameters they are
of. How they are laid end to end follows DeepSpeed's own ``zero_to_fp32.py``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradcascade.errors import InputError
from gradcascade.sources.formats.torch_save import open_values
from gradcascade.sources.pickles.unpickler import Global
from gradcascade.sources.pieces import Piece, flat_joined
from gradcascade.sources.stored import StoredTensor, checked_shape, shown
from gradcascade.sources.tensors import open_tensors

MODEL_STATES = re.compile(r"(?:zero_pp_rank_0_)?mp_rank_00_model_states\.pt")
_OPTIMIZER = re.compile(r"(?:bf16_)?zero_pp_rank_([0-9]{1,5})_mp_rank_([0-9]{1,3})_optim_states\.pt")
_OTHER_PARTS = re.compile(r"(?:.*_)?mp_rank_(?!00_)[0-9]+_(?:model|optim)_states\.pt|.*expert_[0-9]+_.*_states\.pt")
_AGAIN = "copy all files of the checkpoint, or convert it with DeepSpeed's zero_to_fp32.py"


def open_zero(model_states: Path) -> dict[str, StoredTensor]:
    """Describe the float32 weights of a checkpoint by its model states; its partitions must make them up."""
    folder = model_states.parent
    if other := next((path.name for path in sorted(folder.iterdir()) if _OTHER_PARTS.fullmatch(path.name)), None):
        raise InputError(
            f"{folder} is split over tensor-parallel ranks or experts ({shown(other)}), which is not read; convert "
            "it with DeepSpeed's zero_to_fp32.py"
        )
    ranks = {int(match[1]): path for path in folder.iterdir() if (match := _OPTIMIZER.fullmatch(path.name))}
    state = open_values(model_states, _known)
    if not ranks and state.get("param_shapes") is None and state.get("module"):
        return open_tensors(model_states)  # stage 0: the model is whole in it
    shapes = _shapes(state, model_states)
    if not ranks:
        raise InputError(f"{folder} holds no *_optim_states.pt, where the weights are; {_AGAIN}")
    parts = [open_values(ranks[rank], _known) for rank in sorted(ranks)]
    first = _optimizer(parts[0], ranks[min(ranks)])
    stage, count = first.get("zero_stage", 1), first.get("partition_count")
    world = max(count) if isinstance(count, list | tuple) and count else count
    stage = stage if isinstance(stage, int) else getattr(stage, "arguments", (1,))[0]
    if not isinstance(world, int) or sorted(ranks) != list(range(world)):
        raise InputError(
            f"{folder} holds the optimizer states of {len(ranks)} ranks of {world}; a part of the weights measured "
            f"would pass for the whole: {_AGAIN}"
        )
    key = "fp32_flat_groups" if stage == 3 else "single_partition_of_fp32_groups"
    groups = []
    for rank, part in enumerate(parts):
        flat = _optimizer(part, ranks[rank]).get(key)
        if not isinstance(flat, list | tuple) or not all(isinstance(values, StoredTensor) for values in flat):
            raise InputError(f"{ranks[rank]} has no {key}; {_AGAIN}")
        groups.append(list(flat))
    paddings = first.get("param_alignment_paddings")
    args = (shapes, groups, model_states)
    found = _stage_3(*args) if stage == 3 else _stage_1(*args, paddings)
    for name, value in _mapping(state.get("frozen_param_fragments")).items():
        if isinstance(value, StoredTensor) and stage != 3:
            found[str(name)] = value
    return found


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
