"""OLMo: ``step1000-unsharded/model.pt``; newer ones write ``model.safetensors``."""

from gradcascade.sources.checkpoints.base import Checkpoint
from gradcascade.sources.tensors import open_tensors

CHECKPOINT = Checkpoint("olmo", 50, ("model.pt",), open_tensors)
