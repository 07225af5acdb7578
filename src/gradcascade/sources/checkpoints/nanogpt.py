"""nanoGPT and llama2.c: ``ckpt.pt``, the model under ``model`` beside optimizer and counters."""

from gradcascade.sources.checkpoints.base import Checkpoint
from gradcascade.sources.tensors import open_tensors

CHECKPOINT = Checkpoint("nanogpt", 40, ("ckpt.pt",), open_tensors)
