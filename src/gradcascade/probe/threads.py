"""How many threads work."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from gradcascade.errors import InputError
from gradcascade.numbers import whole

MOST = 1024
"""Most threads."""


def thread_count(threads: int | None = None) -> int:
    """Number of threads to use: the given one, else ``$GRADCASCADE_THREADS``, else every core this process has."""
    if threads is not None:
        if whole("threads", threads) < 1:
            raise InputError(f"threads must be at least 1, got {threads}")
        if threads > MOST:
            raise InputError(f"threads must be at most {MOST}, got {threads}")
        return int(threads)
    if text := os.environ.get("GRADCASCADE_THREADS"):
        if text.isdecimal() and 0 < int(text) <= MOST:
            return int(text)
        raise InputError(f"GRADCASCADE_THREADS must be a whole number from 1 to {MOST}, got {text!r}")
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def one_thread() -> Iterator[None]:
    """Have compiled kernels that this thread of Python starts stay on it, for as long as the block runs.

    For fields of some thousand entries waiting for other threads takes longer than the work; results do not change.
    """
    import numba

    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        yield
    finally:
        numba.set_num_threads(before)


def sleep_between_kernels() -> None:
    """Have threads that wait for work sleep, in a process of our own, before its first kernel runs.

    By default those of OpenMP spin for a while: beside other processes that takes a hundred times the work of a small
    field. A process that is not ours also runs others' kernels, and decides for itself.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
