"""DeepSpeed ZeRO: ``global_step1000/`` with the states of the model and, by rank, of the optimizer."""

from __future__ import annotations

from pathlib import Path

from gradcascade.sources.checkpoints._zero import open_zero, zero_state
from gradcascade.sources.checkpoints.base import Checkpoint

_PARTS = "*zero_pp_rank_*_optim_states.pt"


def _files(path: Path) -> tuple[Path, ...]:
    return path, *_optimizer(path)


def _optimizer(path: Path) -> tuple[Path, ...]:
    return tuple(sorted(path.parent.glob(_PARTS)))


_NAMES = ("mp_rank_00_model_states.pt", "zero_pp_rank_0_mp_rank_00_model_states.pt")

CHECKPOINT = Checkpoint(
    "deepspeed",
    80,
    (*_NAMES, *(f"*/{name}" for name in _NAMES)),
    open_zero,
    _files,
    state=zero_state,
    state_files=_optimizer,
    beside=_PARTS,
)
