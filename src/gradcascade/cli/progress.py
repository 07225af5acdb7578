"""Progress: a bar on a terminal, plain lines elsewhere; always on standard error."""

from __future__ import annotations

import sys
import time
from types import TracebackType


class ProgressDisplay:
    """A context manager that shows one bar, or one line every few seconds, for each named task."""

    def __init__(self, every: float = 5.0) -> None:
        self._every = every
        self._last = time.monotonic()
        self._tasks: dict[str, int] = {}
        self._bars = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._bars = Progress(
                TextColumn("{task.description:<24}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}", markup=False),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )

    def __enter__(self) -> ProgressDisplay:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.stop()

    def update(self, name: str, done: int, total: int, note: str = "") -> None:
        """Show that ``done`` of ``total`` are done; lines come at the start, the end, and in between now and then."""
        if self._bars:
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(name, total=total, note=note)
            self._bars.update(self._tasks[name], completed=done, total=total, note=note)  # type: ignore[arg-type]
            return
        now = time.monotonic()
        if name not in self._tasks or done == total or now - self._last >= self._every:
            self._tasks[name] = done
            self._last = now
            print(f"{name}: {done}/{total} {note}".rstrip(), file=sys.stderr, flush=True)
