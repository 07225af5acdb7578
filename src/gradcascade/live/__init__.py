"""Measuring while a model trains: what is recorded, and how it is gathered."""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """Import a module, such as an adapter and with it the trainer's library, when it is first used."""
    try:
        return import_module(f"gradcascade.live.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"gradcascade.live.{name}":  # the trainer's library is not installed
            raise
        raise AttributeError(f"module 'gradcascade.live' has no attribute {name!r}") from None
