"""litgpt: ``step-00001000/lit_model.pth``, the model flat or under ``model``."""

from gradcascade.sources.checkpoints.base import Checkpoint
from gradcascade.sources.tensors import open_tensors

CHECKPOINT = Checkpoint("litgpt", 30, ("lit_model.pth",), open_tensors)
