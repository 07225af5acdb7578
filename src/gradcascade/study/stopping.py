"""SIGTERM and SIGUSR1 end a measurement after the present cascade: schedulers send them before they kill."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name)
)  # Windows has no SIGUSR1

_IGNORED = {signal.SIGINT, *SIGNALS}


class Stop:
    """Whether a signal asked to stop, and which; further signals change nothing."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def __call__(self) -> bool:
        """Whether a signal arrived."""
        return self.signal is not None

    def ask(self, number: int, _: object = None) -> None:
        """Note the first signal, as its handler."""
        self.signal = self.signal or signal.Signals(number)


@contextmanager
def asked_to_stop() -> Iterator[Stop]:
    """Note the signals that ask to stop, for as long as the block runs; Python allows it in the main thread only."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop.ask) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def ignore_signals() -> None:
    """In a worker process: leave Ctrl-C and what asks to stop, which all processes receive, to the one that began."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Start workers that ignore Ctrl-C and what asks to stop: all processes receive it, and this one ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # else it is started here, and unblocks the signal when it was
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _IGNORED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
