"""Measures what was taken: at once, or in a thread of its own while training goes on."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from gradcascade.live.measurement import Measurement
from gradcascade.live.measuring import LiveRun, Measurer, Taken


class Worker:
    """Measures one thing at a time; who puts the next asks for the last one's result first."""

    def __init__(self, run: LiveRun, *, background: bool) -> None:
        self._measurer = Measurer(run)
        self._result: tuple[Future[Measurement], float] | None = None
        self._threads = None
        if background:
            self._threads = ThreadPoolExecutor(1, "gradcascade", use_threads, (run.probe.threads or 1,))

    def put(self, taken: Taken) -> None:
        """Measure what was taken, now or later."""
        future: Future[Measurement]
        if self._threads:
            future = self._threads.submit(self._measurer.measure, taken)
            self._result = future, time.perf_counter() - taken.start
            return
        future = Future()
        future.set_result(self._measurer.measure(taken))
        self._result = future, time.perf_counter() - taken.start

    def finished(self, *, wait: bool = False) -> Measurement | None:
        """What was measured since the last call, if it is there; what went wrong in measuring is raised here."""
        if self._result is None or not (wait or self._result[0].done()):
            return None
        (future, waited), self._result = self._result, None
        return replace(future.result(), waited=waited)

    def close(self) -> None:
        """Close the store in the thread that uses it, and end the thread."""
        if self._threads is None:
            self._measurer.close()
            return
        self._threads.submit(self._measurer.close).result()
        self._threads.shutdown()


def use_threads(count: int) -> None:
    """Have Numba's kernels start no more threads from this one, so that none spin beside the training's."""
    import numba

    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))  # pyright: ignore[reportAttributeAccessIssue]
