"""The report of a study as it is now: written anew, into memory, whenever the study has changed."""

import secrets
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from gradcascade.errors import InputError
from gradcascade.study.study import Study
from gradcascade.view.watch import STORE, Glance, glance

PATIENCE = 4.0
"""A report is written again after this many times the time that the last one took, at the earliest."""

INTERVAL = 0.5
"""Seconds between two looks at the study, at least; more where a look takes long."""

Render = Callable[[Path, Path], object]
"""Writes the report of a study (the first folder) into another folder."""


@dataclass(frozen=True)
class State:
    """What is shown now. A new one replaces it as a whole, so that threads can read it at any time."""

    version: str = ""
    """Changes with every new report; empty while there is none."""
    words: str = "Looking at the study."
    """How the study stands, in one sentence."""
    measuring: bool = False
    """Whether another process has the study open."""
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """Files of the report by their path in it."""


def write_report_of(study: Path, out: Path) -> None:
    """Write the report of a study as ``gradcascade report`` does."""
    from gradcascade.report.access import study_data
    from gradcascade.report.page import write_report

    with Study.open(study) as opened:
        data = study_data(opened)
    write_report(data, out)


class LiveReport:
    """Follows a study and holds its report in memory; nothing is written into the study."""

    def __init__(
        self, study: Path, render: Render = write_report_of, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not (study / "plan.toml").is_file() or (study / STORE).is_file():
            Study.open(study).close()  # complains if it cannot be; a study without a store has nothing to open
        self._study, self._render, self._clock = study, render, clock
        self._run = secrets.token_hex(4)
        self._count = 0
        self._shown = Glance(0, "", False)
        self._not_before = clock()
        self._least: int | None = None
        self._seen_measuring = False
        self.state = State()

    def follow(self, stopped: threading.Event) -> None:
        """Look at the study, and write its report, until `stopped` is set."""
        while not stopped.is_set():
            start = self._clock()
            self.look()
            stopped.wait(max(INTERVAL, self._clock() - start))

    def look(self) -> None:
        """Look at the study once, and write its report if that has changed and it is not too soon."""
        try:
            now = glance(self._study)
        except sqlite3.Error as error:
            self.state = replace(self.state, words=f"The study cannot be read now: {error}.")
            return
        self._least = now.cascades if self._least is None else min(self._least, now.cascades)
        self._seen_measuring |= now.measuring or now.cascades > self._least
        if now.cascades and now.mark != self._shown.mark and self._clock() >= self._not_before:
            # Cascades that arrive while the report is written count as newer.
            self._write(now)
            return
        self._say(now)

    def _write(self, now: Glance) -> None:
        if not self.state.version:
            self.state = replace(self.state, words="Writing the report.", measuring=now.measuring)
        start = self._clock()
        try:
            files = self._rendered()
        except InputError as error:
            self._shown = now  # the same error would come again until the study changes
            self.state = replace(self.state, words=f"There is no report of this: {error}.", measuring=now.measuring)
            return
        finally:
            end = self._clock()
            self._not_before = end + PATIENCE * (end - start)
        self._shown = now
        self._count += 1
        self.state = replace(self.state, version=f"{self._run}-{self._count}", files=files)
        self._say(now)

    def _rendered(self) -> dict[str, bytes]:
        with tempfile.TemporaryDirectory(prefix="gradcascade-view-") as scratch:
            folder = Path(scratch) / "report"
            self._render(self._study, folder)
            return {
                path.relative_to(folder).as_posix(): path.read_bytes()
                for path in sorted(folder.rglob("*"))
                if path.is_file() and not path.is_symlink()
            }

    def _say(self, now: Glance) -> None:
        if now.mark == self._shown.mark and not self.state.version and now.cascades:
            return  # the reason why there is no report stays
        count = f"{now.cascades:,} cascade{'' if now.cascades == 1 else 's'}"
        newer = now.cascades - self._shown.cascades
        if not now.cascades:
            words = "There are no cascades yet; the report appears with the first."
            if not now.measuring:
                words += " Nothing is being measured now."
        else:
            ended = "Measuring has ended" if self._seen_measuring else "Nothing is being measured now"
            words = f"{'Measuring' if now.measuring else ended}: {count}"
            words += f", {newer:,} of them since this report." if newer > 0 and self.state.version else "."
        self.state = replace(self.state, words=words, measuring=now.measuring)
