"""Processes that make runs, one at a time each; what they measure goes to the one that started them, which writes."""

from __future__ import annotations

import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

from gradcascade.errors import InputError
from gradcascade.study.serving import Failed, serve
from gradcascade.study.stopping import ignore_signals, uninterrupted

TELL_EVERY = 0.5
"""Seconds between two words on how far a run is."""

_KEPT, _STOP = "kept", "stop"


class OneRun:
    """A run that is to be made; it travels to a worker, and can be a key."""

    family: str
    width: int
    seed: int

    @property
    def scale(self) -> str:
        """Its scale in the study."""
        return f"d{self.width}"

    @property
    def label(self) -> str:
        """What it is called for users."""
        return f"{self.family} {self.scale} seed {self.seed}"


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    spec: Any
    step: int
    loss: float


class Link(Protocol):
    """The other side of a run."""

    def keep(self, spec: Any, record: Any) -> None:
        """Keep what was measured; it is kept when this returns."""
        ...

    def stopped(self, spec: Any, step: int, loss: float) -> bool:
        """Tell the step that is under way; whether the run is to stop here."""
        ...


class Trainer(Protocol):
    """Makes runs in a worker, one after another."""

    def run(self, spec: Any, link: Link) -> dict[str, Any] | None:
        """Make one run, or continue it; what came of it, None if it was stopped."""
        ...


@dataclass(frozen=True)
class _Finished:
    result: dict[str, Any] | None


class _Pipe:
    """The link of a run in a worker to the process that writes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._told = 0.0
        self._stop = False

    def keep(self, spec: OneRun, record: Any) -> None:
        self._connection.send(record)
        while (said := self._connection.recv()) != _KEPT:
            self._stop = self._stop or said == _STOP

    def stopped(self, spec: OneRun, step: int, loss: float) -> bool:
        now = time.monotonic()
        if now - self._told > TELL_EVERY:
            self._told = now
            self._connection.send(Progress(spec, step, loss))
        while self._connection.poll():
            self._stop = self._connection.recv() == _STOP or self._stop
        return self._stop


def _work(connection: Connection, make: Callable[[], Trainer]) -> None:
    """Make the runs that arrive, until the other side is gone."""
    ignore_signals()
    import torch

    from gradcascade.live.worker import use_threads

    # One thread: sums of several come in an order that depends on their number.
    torch.set_num_threads(1)
    use_threads(1)
    trainer = make()

    def answer(spec: OneRun) -> Iterator[_Finished]:
        yield _Finished(trainer.run(spec, _Pipe(connection)))

    serve(connection, answer)


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    spec: OneRun | None = field(default=None)


@dataclass
class Workers:
    """Up to ``most`` processes, started when there is work for them; each makes a trainer with ``make``."""

    make: Callable[[], Trainer]
    """A function that a spawned process can import, or a partial of one."""
    most: int
    _all: list[_Worker] = field(default_factory=list)

    def run(
        self,
        specs: Iterable[OneRun],
        keep: Callable[[Any, Any], None],
        done: Callable[[Any, dict[str, Any]], Iterable[OneRun]],
        progress: Callable[[Progress], None] = lambda found: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Make runs in their order, and those that ``done`` gives for a finished one; whether all were made.

        Once ``stop`` says so no run is begun, and each under way saves where it is.
        """
        waiting, asked = deque(specs), False
        while True:
            if stop() and not asked:
                asked = True
                for worker in self._all:
                    if worker.spec:
                        _send(worker, _STOP)
            while waiting and not asked and (worker := self._free()):
                worker.spec = waiting.popleft()
                _send(worker, worker.spec)
            busy = {worker.connection: worker for worker in self._all if worker.spec}
            if not busy:
                return not waiting
            for connection in wait(list(busy), timeout=0.5):
                worker = busy[connection]  # type: ignore[index]
                spec = worker.spec
                assert spec is not None
                message = self._received(worker)
                if isinstance(message, Progress):
                    progress(message)
                elif isinstance(message, _Finished):
                    worker.spec = None
                    if message.result is None:
                        waiting.append(spec)
                    else:
                        waiting.extend(done(spec, message.result))
                else:
                    keep(spec, message)
                    _send(worker, _KEPT)

    def _received(self, worker: _Worker) -> Any:
        try:
            message = worker.connection.recv()
        except (EOFError, ConnectionError):
            worker.process.join()
            assert worker.spec is not None
            raise InputError(
                f"the process that made {worker.spec.label} was killed (exit code {worker.process.exitcode}), "
                "perhaps because memory ran out; everything measured is kept, so run the same command again with "
                "fewer --workers"
            ) from None
        if isinstance(message, Failed):
            raise InputError(message.words) if message.refusal else RuntimeError(f"a run failed:\n{message.words}")
        return message

    def _free(self) -> _Worker | None:
        for worker in self._all:
            if worker.spec is None:
                return worker
        if len(self._all) >= self.most:
            return None
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self.make), daemon=True)
        with uninterrupted():
            process.start()
        theirs.close()
        self._all.append(_Worker(process, ours))
        return self._all[-1]

    def close(self) -> None:
        """End the processes."""
        for worker in self._all:
            worker.connection.close()
            worker.process.kill()  # signals that ask are ignored
        for worker in self._all:
            worker.process.join(10)


def _send(worker: _Worker, message: object) -> None:
    try:
        worker.connection.send(message)
    except ConnectionError:
        return  # it is gone, which receiving from it says
