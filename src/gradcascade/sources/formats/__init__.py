"""How a file holds tensors: one module per format, told apart by the first bytes and checked against the name."""

from gradcascade.registry import Registry
from gradcascade.sources.formats.base import Format

FORMATS = Registry("gradcascade.sources.formats", Format, "format")
