"""torch.distributed.checkpoint: FSDP2, torchtitan, OLMo-core, accelerate's sharded state."""

from __future__ import annotations

from pathlib import Path

from gradcascade.sources.checkpoints._distributed import ENDING, METADATA, open_distributed
from gradcascade.sources.checkpoints.base import Checkpoint, refused


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


# Beside the model's folder (accelerate, OLMo-core, torchtitan) may be one of the optimizer.
_MODEL = ("pytorch_model_fsdp*", "model_and_optim", "model*", "*")

CHECKPOINT = Checkpoint(
    "distributed",
    70,
    (METADATA, *(f"{name}/{METADATA}" for name in _MODEL), *(f"{name}/*{ENDING}" for name in _MODEL), f"*{ENDING}"),
    _open,
    _files,
)
