"""PEFT: adapters, which are not the model."""

from gradcascade.sources.checkpoints.base import Checkpoint, refused

CHECKPOINT = Checkpoint(
    "peft",
    100,
    ("adapter_model.safetensors", "adapter_model.bin"),
    refused(
        "holds the adapters alone, not the model; merge them into it (merge_and_unload) and save that, or probe this "
        "file by itself with gradcascade probe"
    ),
    readable=False,
)
