"""Several processes of this machine, each with one snapshot at a time; this process writes."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from itertools import chain
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from gradcascade.errors import InputError
from gradcascade.probe.threads import sleep_between_kernels
from gradcascade.study.executors.base import Executor, Finished, Numbered
from gradcascade.study.serving import Failed, serve
from gradcascade.study.snapshot import Event, Measured, Read, Task, measure
from gradcascade.study.stopping import ignore_signals, uninterrupted

_DEATHS = 2
"""After so many workers were killed with the same snapshot, it is taken for the cause."""


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    number: int = -1
    task: Task | None = None
    done: int = 0

    def take(self, number: int, task: Task) -> None:
        self.number, self.task, self.done = number, task, 0
        self.connection.send(task)

    def rest(self) -> Task:
        """What is left of the task, if the worker is gone."""
        assert self.task is not None
        return replace(self.task, jobs=self.task.jobs[self.done :])


def _work(connection: Connection) -> None:
    """Measure what arrives, until the other side is gone."""
    sleep_between_kernels()
    ignore_signals()
    serve(connection, lambda task: chain(measure(task), (Finished(),)))


class _Pool:
    def __init__(self, most: int) -> None:
        self.most = most
        self.busy: dict[Connection, _Worker] = {}
        self.idle: list[_Worker] = []
        self.lost = 0
        self._deaths: dict[int, int] = {}

    def free(self) -> _Worker | None:
        """A worker without a task, started now if there may be more; spawned, because forks break threads."""
        if self.idle:
            return self.idle.pop()
        if len(self.busy) + self.lost >= self.most:
            return None
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs,), daemon=True)
        with uninterrupted():
            process.start()
        theirs.close()
        return _Worker(process, ours)

    def give(self, worker: _Worker, number: int, task: Task) -> bool:
        """Whether the worker took the task; one that ended meanwhile did not."""
        self.busy[worker.connection] = worker
        try:
            worker.take(number, task)
        except ConnectionError:
            self.bury(worker)
            return False
        return True

    def bury(self, worker: _Worker) -> None:
        """Note that a worker is gone; too many deaths end the run."""
        del self.busy[worker.connection]
        worker.process.join()
        self.lost += 1
        self._deaths[worker.number] = self._deaths.get(worker.number, 0) + 1
        who = ""
        if self._deaths[worker.number] >= _DEATHS and worker.task is not None:
            who = f"each of {_DEATHS} workers that measured {worker.task.snapshot.place}"
        elif self.lost >= self.most:
            who = f"the last of {self.most} workers"
        if who:
            raise InputError(
                f"{who} was killed (exit code {worker.process.exitcode}), perhaps because memory ran out; "
                "what was measured is kept, so run the same command again with fewer workers"
            )

    def stop(self) -> None:
        workers = [*self.busy.values(), *self.idle]
        for worker in workers:
            worker.connection.close()
            worker.process.kill()  # SIGTERM is ignored
        for worker in workers:
            worker.process.join(10)


def _execute(tasks: Iterable[Numbered], workers: int) -> Generator[tuple[int, Event | Finished]]:
    pool = _Pool(workers)
    coming = iter(tasks)
    again: deque[Numbered] = deque()
    try:
        while True:
            while len(pool.busy) < pool.most - pool.lost:
                item = again.popleft() if again else next(coming, None)
                if item is None:
                    break
                number, task = item
                if task.complete:
                    yield from ((number, event) for event in measure(task))
                    yield number, Finished()
                elif (worker := pool.free()) is None or not pool.give(worker, number, task):
                    again.append(item)
            if not pool.busy:
                return
            for connection in wait(list(pool.busy)):
                worker = pool.busy[connection]  # type: ignore[index]
                yield from _received(pool, worker, again)
    finally:
        pool.stop()


def _received(pool: _Pool, worker: _Worker, again: deque[Numbered]) -> Generator[tuple[int, Event | Finished]]:
    try:
        event = worker.connection.recv()
    except (EOFError, ConnectionError):
        again.append((worker.number, worker.rest()))
        pool.bury(worker)
        return
    if isinstance(event, Failed):
        raise InputError(event.words) if event.refusal else RuntimeError(f"a worker failed:\n{event.words}")
    if isinstance(event, Read) and worker.task is not None:
        worker.task = replace(worker.task, contents=event.contents)
    elif isinstance(event, Measured):
        worker.done += 1
    elif isinstance(event, Finished):
        pool.idle.append(pool.busy.pop(worker.connection))
    yield worker.number, event


EXECUTOR = Executor("processes", 1, "several snapshots at once, each in a process of its own", _execute)
