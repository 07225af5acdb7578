"""Where the optimizer's state lies that belongs to a checkpoint: in the same file, or in one beside it."""

from __future__ import annotations

from pathlib import Path

from gradcascade.sources.formats.torch_save import open_values
from gradcascade.sources.optimizer_state import OptimizerState, find_state
from gradcascade.sources.tensors import format_of

BESIDE = ("optimizer.pt", "optimizer.bin", "optimizer.pth", "optim.pt")
"""In the folder of a step: transformers, accelerate (FSDP's full state too), common habits, OLMo."""


def files_beside(path: Path) -> tuple[Path, ...]:
    """The file of the optimizer in the folder of a checkpoint, if there is one."""
    return tuple(path.parent / name for name in BESIDE if (path.parent / name).is_file())[:1]


def state_within(path: Path) -> OptimizerState | None:
    """The optimizer's state in a trainer's file; None if there is none."""
    if format_of(path).name != "torch.save":
        return None
    return find_state(open_values(path, lambda reference: False), path)


def state_beside(path: Path) -> OptimizerState | None:
    """The optimizer's state in the file of a checkpoint, else in one beside it; None if there is none."""
    whole = path.suffix != ".json"  # an index of shards holds none
    found = state_within(path) if whole else None
    return found or next(map(state_within, files_beside(path)), None)
