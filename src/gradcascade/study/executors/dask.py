"""Workers of a Dask cluster, each with one snapshot at a time; this process writes."""

from __future__ import annotations

import logging
import queue
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from gradcascade import __version__
from gradcascade.errors import InputError
from gradcascade.probe.threads import sleep_between_kernels, thread_count
from gradcascade.study.executors.base import Executor, Finished, Numbered
from gradcascade.study.snapshot import Event, Task, measure

LOCAL = "local"
"""In place of an address: workers on this machine, for as long as the run lasts."""

PATIENCE = 600.0
"""Seconds to wait for a worker while there is none."""

_LOSSES = 3
"""So often the rows of one snapshot may be lost on their way."""

_FETCHING = 60.0
"""Seconds to wait for rows that are done. If their worker dies just then, Dask may wait for them for ever."""

_KEPT = "everything measured is stored, and the same command continues"
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class _Result:
    events: tuple[Event, ...] = ()
    failure: str = ""
    refusal: bool = False
    """Whether the failure is a refusal of input."""
    version: str = __version__


def _measure(task: Task) -> _Result:
    """Measure a snapshot in a worker, with the worker's threads; a worker that took over another's waits its turn."""
    from distributed import get_worker

    sleep_between_kernels()
    threads = get_worker().state.nthreads
    jobs = tuple(replace(job, probe=replace(job.probe, threads=job.probe.threads or threads)) for job in task.jobs)
    with _ONE_AT_A_TIME:
        try:
            return _Result(tuple(measure(replace(task, jobs=jobs))))
        except InputError as error:
            return _Result(failure=str(error), refusal=True)
        except Exception:
            return _Result(failure=traceback.format_exc())


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask from logging tracebacks about what is told in one sentence here."""
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith("distributed")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


@contextmanager
def _connected(address: str, workers: int) -> Iterator[Any]:
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise InputError(f"measuring on a Dask cluster: {error}; pip install 'gradcascade[cluster]'") from None
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        if address == LOCAL:
            threads = max(1, thread_count(None) // workers)
            place: Any = stack.enter_context(
                LocalCluster(
                    n_workers=workers,
                    threads_per_worker=threads,
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",
                    memory_limit=None,  # Dask would end workers for what the file cache takes
                    silence_logs=logging.CRITICAL,
                )
            )
        else:
            place = address
        try:
            client = stack.enter_context(Client(place, timeout=20, direct_to_workers=False))
        except (OSError, ValueError) as error:
            raise InputError(
                f"no Dask scheduler answers at {address!r} ({error}); give its address, such as "
                f"tcp://HOST:8786, or {LOCAL}"
            ) from None
        yield client


class _Cluster:
    def __init__(self, client: Any, address: str) -> None:
        self.client, self.address = client, address
        self.running: dict[str, tuple[int, Task, str, Any]] = {}
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._seen = time.monotonic()
        self.again: deque[Numbered] = deque()
        """Snapshots whose rows did not arrive, because their worker died with them."""
        self._losses: Counter[int] = Counter()

    def free(self) -> list[str]:
        """Workers without a snapshot of ours; refuses if there are none at all for too long."""
        try:
            workers = self.client.nthreads()
        except (OSError, RuntimeError) as error:
            raise self._gone() from error
        if workers:
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > PATIENCE:
            raise InputError(
                f"the Dask scheduler at {self.address} has had no worker for {PATIENCE / 60:.0f} minutes; start "
                f"workers: {_KEPT}"
            )
        return sorted(set(workers) - {worker for _, _, worker, _ in self.running.values()})

    def give(self, worker: str, number: int, task: Task) -> None:
        """Have a snapshot measured by a worker, or by another if that one dies."""
        future = self.client.submit(_measure, task, workers=[worker], allow_other_workers=True, pure=False)
        self.running[future.key] = number, task, worker, future
        future.add_done_callback(self._done.put)

    def next(self, timeout: float) -> tuple[int, _Result] | None:
        """A snapshot that is done; None if none is by then."""
        try:
            future = self._done.get(timeout=timeout)
        except queue.Empty:
            if self.client.status not in ("running", "connecting"):
                raise self._gone() from None
            return None
        number, task, _, _ = self.running.pop(future.key)
        try:
            return number, self._result(future, task)
        except OSError as error:
            self._losses[number] += 1
            if self.client.status != "running" or self._losses[number] > _LOSSES:
                raise self._gone() from error
            future.cancel()
            self.again.append((number, task))
            return None

    def _result(self, future: Any, task: Task) -> _Result:
        from distributed import KilledWorker

        try:
            result = future.result(timeout=_FETCHING)
        except KilledWorker:
            raise InputError(
                f"every worker that measured {task.snapshot.place} died, perhaps because memory ran out; give the "
                f"workers more: {_KEPT}"
            ) from None
        except OSError:
            raise
        except Exception as error:
            if future.cancelled() or self.client.status != "running":
                raise self._gone() from None
            raise InputError(
                f"a Dask worker could not take its task ({type(error).__name__}: {error}); workers need gradcascade "
                f"{__version__}, as this process has it: {_KEPT}"
            ) from None
        if result.version != __version__:
            raise InputError(
                f"a Dask worker has gradcascade {result.version} and this process {__version__}; install the same: "
                f"{_KEPT}"
            )
        if result.failure:
            raise (
                InputError(result.failure) if result.refusal else RuntimeError(f"a worker failed:\n{result.failure}")
            )
        return result

    def _gone(self) -> InputError:
        return InputError(f"the Dask scheduler at {self.address} is gone; start it again: {_KEPT}")

    def stop(self) -> None:
        """Have nothing measured that nobody waits for."""
        if self.client.status == "running":
            self.client.cancel([future for _, _, _, future in self.running.values()])


def _execute(
    tasks: Iterable[Numbered], workers: int, address: str = LOCAL
) -> Generator[tuple[int, Event | Finished]]:
    with _connected(address, workers) as client:
        cluster = _Cluster(client, address)
        coming = iter(tasks)
        more = True
        try:
            while more or cluster.running or cluster.again:
                for worker in cluster.free() if more or cluster.again else ():
                    if cluster.again:
                        cluster.give(worker, *cluster.again.popleft())
                        continue
                    for number, task in coming:
                        if not task.complete:
                            cluster.give(worker, number, task)
                            break
                        yield from ((number, event) for event in measure(task))
                        yield number, Finished()
                    else:
                        more = False
                        break
                if found := cluster.next(0.5):
                    number, result = found
                    yield from ((number, event) for event in result.events)
                    yield number, Finished()
        finally:
            cluster.stop()


EXECUTOR = Executor("dask", 2, "snapshots measured by the workers of a Dask cluster", _execute, addressed=True)
