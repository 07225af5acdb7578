"""How a folder holds one checkpoint: one module per kind, told apart by the file that opens it."""

from gradcascade.registry import Registry
from gradcascade.sources.checkpoints.base import Checkpoint

CHECKPOINTS = Registry("gradcascade.sources.checkpoints", Checkpoint, "checkpoint")
