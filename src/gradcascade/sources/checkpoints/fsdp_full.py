"""The full state that accelerate gathers from FSDP: ``pytorch_model_fsdp.bin``."""

from gradcascade.sources.checkpoints.base import Checkpoint
from gradcascade.sources.tensors import open_tensors

CHECKPOINT = Checkpoint("fsdp-full", 60, ("pytorch_model_fsdp.bin",), open_tensors)
