"""One snapshot after the other, in this process."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from gradcascade.study.executors.base import Executor, Finished, Numbered
from gradcascade.study.snapshot import Event, measure


def _execute(tasks: Iterable[Numbered], workers: int) -> Generator[tuple[int, Event | Finished]]:
    del workers  # this process is the only one
    for number, task in tasks:
        for event in measure(task):
            yield number, event
        yield number, Finished()


EXECUTOR = Executor("serial", 0, "one snapshot after the other", _execute, elsewhere=False)
