"""What the process keeps in memory so that the next measurement is quicker, and how to give it back."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable

_callbacks: list[Callable[[], object]] = []


def on_release(forget: Callable[[], object]) -> Callable[[], object]:
    """Have :func:`release` call a function that empties a cache; modules that keep one say so when imported."""
    _callbacks.append(forget)
    return forget


def release() -> None:
    """Give back all memory that is kept for later: it changes the time of the next measurement, never a result.

    That is the engine's buffers (14 bytes for every entry of the field on CPU), the last graphs (in memory, and on
    GPUs), checkpoints that are open, small tables, and PyTorch's cache of GPU memory if the CUDA engine was used.
    Arrays and graphs that the caller holds stay. A measurement that runs in another thread keeps what it uses.
    """
    for forget in _callbacks:
        forget()
    gc.collect()
    _trim_heap()


def _trim_heap() -> None:
    """Have the C library return freed pages to the system, where it can (glibc)."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library; Windows cannot open the process itself
        return
    trim(0)
