"""How many threads work."""

from __future__ import annotations

import os

from gradcascade.errors import InputError


def thread_count(threads: int | None = None) -> int:
    """Number of threads to use: the given one, else ``$GRADCASCADE_THREADS``, else every core this process has.

    Raises
    ------
    InputError
        If it is not at least 1: with no thread nothing would be done, and results would be whatever memory holds.
    """
    if threads is not None:
        if threads < 1:
            raise InputError(f"threads must be at least 1, got {threads}")
        return threads
    if text := os.environ.get("GRADCASCADE_THREADS"):
        if text.isdecimal() and int(text) > 0:
            return int(text)
        raise InputError(f"GRADCASCADE_THREADS must be a whole number of at least 1, got {text!r}")
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
