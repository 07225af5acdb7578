"""Measuring while a model trains: what is recorded, and how it is gathered."""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """Import an adapter, and with it the trainer's library, when it is first used."""
    if name in ("huggingface", "lightning"):
        return import_module(f"gradcascade.live.{name}")
    raise AttributeError(f"module 'gradcascade.live' has no attribute {name!r}")
