"""How trainers arrange the files of a run: one module per layout, each turns a tree into steps."""

from gradcascade.registry import Registry
from gradcascade.sources.layouts.base import Layout

LAYOUTS = Registry("gradcascade.sources.layouts", Layout, "layout")
