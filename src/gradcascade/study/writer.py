"""The one writer of a study: hands tasks to an executor and keeps what comes back as soon as it is there."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from gradcascade.sources.base import SnapshotRef
from gradcascade.study.executors import Execute, Finished
from gradcascade.study.plan import FamilyPlan
from gradcascade.study.snapshot import Event, Job, Measured, Read, Refused, Task
from gradcascade.study.store import KEY, SNAPSHOT, Store


@dataclass(frozen=True)
class Work:
    """The cascades wanted of one snapshot."""

    number: int
    """Its place among the snapshots."""
    family: FamilyPlan
    snapshot: SnapshotRef
    jobs: tuple[Job, ...]


class Writer:
    """Knows what a store has, and adds to it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.keys = store.keys()
        self._own: dict[tuple[Any, ...], set[tuple[Any, ...]]] = defaultdict(set)
        for key in self.keys:
            self._own[key[: len(SNAPSHOT)]].add(key)

    def measure(
        self, works: Iterable[Work], execute: Execute, stop: Callable[[], bool] = lambda: False
    ) -> Generator[tuple[Work, Event | Finished]]:
        """Measure what is missing of every work; events come after what they say is in the store.

        Once ``stop`` says so, no work is begun, and each under way ends with its present cascade.
        """
        awaited: set[int] | None = None
        under_way: dict[int, tuple[Work, str]] = {}

        def tasks() -> Iterator[tuple[int, Task]]:
            for work in works:
                if stop():
                    return
                state = _state(work.snapshot)
                under_way[work.number] = work, state
                known = self._own[(*work.snapshot.name, work.snapshot.span or 0)]
                contents = self.store.contents(_content_name(work), state)
                yield work.number, Task(work.snapshot, work.jobs, frozenset(known), contents)

        with closing(execute(tasks())) as events:  # whatever happens here, no worker is left behind
            for number, event in events:
                work, state = under_way[number]
                if isinstance(event, Read) and event.fresh:
                    self.store.remember_contents(_content_name(work), state, event.contents)
                elif isinstance(event, Measured) and event.row is not None:
                    self._keep(event.row)
                elif isinstance(event, Finished):
                    del under_way[number]
                yield work, event
                if stop():
                    awaited = set(under_way) if awaited is None else awaited
                    if isinstance(event, Measured | Refused | Finished):
                        awaited.discard(number)
                    if not awaited:
                        return

    def _keep(self, row: dict[str, Any]) -> None:
        self.store.add(row)
        key = tuple(row[name] for name in KEY)
        self.keys.add(key)
        self._own[key[: len(SNAPSHOT)]].add(key)


def _content_name(work: Work) -> str:
    """What a snapshot's values follow from, apart from the state of its files."""
    at = work.snapshot
    which = [] if at.draw is None else [f"draw {at.draw}"]
    return json.dumps([*at.name[1:], at.span, work.family.reading(), *which], sort_keys=True)


def _state(snapshot: SnapshotRef) -> str:
    """Changes whenever the files may have changed, so that unchanged ones need not be read again."""
    if not snapshot.files:
        return json.dumps([snapshot.revision, snapshot.source])
    try:
        stats = [file.stat() for file in snapshot.files]
    except OSError:
        return "unreadable"
    return json.dumps([snapshot.revision, *([stat.st_size, stat.st_mtime_ns] for stat in stats)])
