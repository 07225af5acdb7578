"""In the place of `gradcascade.training.workers.Workers`: runs made one after another in this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from gradcascade.training.workers import Progress


class WorkersHere:
    """Has the methods of Workers; a run asks at every step whether to stop, as in a worker."""

    def __init__(self, make: Callable[[], Any], most: int) -> None:
        self._trainer = make()

    def run(
        self,
        specs: Iterable[Any],
        keep: Callable[[Any, Any], None],
        done: Callable[[Any, dict[str, Any]], Iterable[Any]],
        progress: Callable[[Progress], None] = lambda found: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Whether all runs were made."""
        link, waiting = _Link(keep, progress, stop), deque(specs)
        while waiting:
            spec = waiting.popleft()
            result = self._trainer.run(spec, link)
            if result is None:
                return False
            waiting.extend(done(spec, result))
        return True

    def close(self) -> None:
        """Nothing is held."""


class _Link:
    def __init__(self, keep: Any, progress: Any, stop: Any) -> None:
        self.keep, self._progress, self._stop = keep, progress, stop

    def stopped(self, spec: Any, step: int, loss: float) -> bool:
        self._progress(Progress(spec, step, loss))
        return self._stop()
