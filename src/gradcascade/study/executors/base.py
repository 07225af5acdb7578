"""What an executor is: the way in which the tasks of a study are carried out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass

from gradcascade.study.snapshot import Event, Task


@dataclass(frozen=True)
class Finished:
    """Nothing more comes of this task."""


Numbered = tuple[int, Task]
Execute = Callable[[Iterable[Numbered]], Generator[tuple[int, Event | Finished]]]


@dataclass(frozen=True)
class Executor:
    """A way to carry out tasks.

    ``execute(tasks, workers)`` calls :func:`gradcascade.study.snapshot.measure` for each, anywhere and in any order,
    and gives its events back as they come, with the number of the task, and ``Finished`` last. Tasks are made when
    they are asked for.
    """

    name: str
    order: float
    description: str
    execute: Callable[..., Generator[tuple[int, Event | Finished]]]
    elsewhere: bool = True
    """Whether snapshots are loaded by several processes at once, which downloads from the hub cannot be."""
    addressed: bool = False
    """Whether ``execute`` also takes the ``address`` of a scheduler."""
