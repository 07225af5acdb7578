"""torch.distributed.checkpoint: FSDP2, torchtitan, OLMo-core, accelerate's sharded state."""

from __future__ import annotations

from pathlib import Path

from gradcascade.errors import InputError
from gradcascade.sources.checkpoints._distributed import ENDING, METADATA, distributed_state, open_distributed
from gradcascade.sources.checkpoints.base import Checkpoint, refused
from gradcascade.sources.optimizer_state import OptimizerState


def _files(metadata: Path) -> tuple[Path, ...]:
    return metadata, *sorted(metadata.parent.glob(f"*{ENDING}"))


def _open(path: Path):
    if path.name != METADATA:
        if (path.parent / METADATA).is_file():
            return refused(f"is one file of a distributed checkpoint; name its folder, or {METADATA} in it")(path)
        return refused(
            "is one file of a distributed checkpoint, and .metadata, which says what the files hold, is not there; "
            "copy the whole folder"
        )(path)
    return open_distributed(path)


def _optimizers(path: Path) -> tuple[Path, ...]:
    """Metadata of the optimizer where it has a folder beside the model's."""
    beside = path.name == METADATA and path.parent.name.startswith(("pytorch_model", "model"))
    return tuple(sorted(path.parent.parent.glob(f"optim*/{METADATA}"))) if beside else ()


def _state(path: Path) -> OptimizerState | None:
    found = [state for place in (path, *_optimizers(path)) if (state := distributed_state(place))]
    if len(found) > 1:
        raise InputError(f"{path} has the states of {len(found)} optimizers, and only one can be read")
    return found[0] if found else None


def _state_files(path: Path) -> tuple[Path, ...]:
    return tuple(file for metadata in _optimizers(path) for file in _files(metadata))


# Beside the model's folder (accelerate, OLMo-core, torchtitan) may be one of the optimizer.
_MODEL = ("pytorch_model_fsdp*", "model_and_optim", "model*", "*")

CHECKPOINT = Checkpoint(
    "distributed",
    70,
    (METADATA, *(f"{name}/{METADATA}" for name in _MODEL), *(f"{name}/*{ENDING}" for name in _MODEL), f"*{ENDING}"),
    _open,
    _files,
    state=_state,
    state_files=_state_files,
)
