"""One snapshot after the other, in this process, and the next is fetched, read and hashed while one is measured.

So there are two fields in memory at most. Snapshots are loaded one at a time and in their order, so that what may lie
on disk at once is what one of them takes.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterable
from typing import Any

from gradcascade.study.executors.base import Executor, Finished, Numbered
from gradcascade.study.snapshot import Event, measure, read

_PATIENCE = 5.0
"""Seconds that a thread is waited for which was told to stop; it ends with what it fetches at the latest."""


class _Loading:
    """A snapshot that another thread loads."""

    def __init__(self, numbered: Numbered) -> None:
        self.snapshot = numbered[1].snapshot
        self._loaded: Any = None
        self._raised: BaseException | None = None
        self._thread = threading.Thread(target=self._load, daemon=True)
        self._thread.start()

    def _load(self) -> None:
        try:
            self._loaded = read(self.snapshot)
        except BaseException as error:
            self._raised = error

    def result(self) -> Any:
        """The field and its hashes, or what was raised in its place; handed over once, as the field may be large."""
        while self._thread.is_alive():
            self._thread.join(0.5)  # so that Ctrl-C is heard everywhere
        if self._raised is not None:
            raise self._raised
        loaded, self._loaded = self._loaded, None
        return loaded

    def stop(self) -> None:
        if self._thread.is_alive():
            self.snapshot.cancel()
            self._thread.join(_PATIENCE)


class _Ahead:
    """The tasks to come, of which the first that has to read is being loaded."""

    def __init__(self, tasks: Iterable[Numbered]) -> None:
        self._coming = iter(tasks)
        self._waiting: deque[Numbered] = deque()
        self.loading: _Loading | None = None

    def start(self) -> None:
        """Begin to load the next snapshot that has to be read; those before it are known."""
        self.loading = None
        while self.loading is None and (numbered := next(self._coming, None)):
            self._waiting.append(numbered)
            if not numbered[1].complete:
                self.loading = _Loading(numbered)

    def next(self) -> Numbered | None:
        if not self._waiting and self.loading is None:
            self.start()
        return self._waiting.popleft() if self._waiting else None


def _execute(tasks: Iterable[Numbered], workers: int) -> Generator[tuple[int, Event | Finished]]:
    del workers  # this process is the only one
    ahead = _Ahead(tasks)

    def load() -> Any:
        assert ahead.loading is not None
        try:
            return ahead.loading.result()
        finally:
            ahead.start()

    try:
        while numbered := ahead.next():
            number, task = numbered
            for event in measure(task, load):
                yield number, event
            yield number, Finished()
    finally:
        if ahead.loading:
            ahead.loading.stop()


EXECUTOR = Executor(
    "ahead", 0.5, "one snapshot after the other, the next of which is read meanwhile", _execute, elsewhere=False
)
