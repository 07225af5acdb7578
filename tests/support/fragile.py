"""Fields that end the process that reads them, for tests of several workers; importable by the workers."""

import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Ending:
    """Reads a field; in any process but the test's own it ends that process, once if there is a marker to remove."""

    reader: Any
    parent: int
    marker: Path | None = None

    def __call__(self):
        if os.getpid() != self.parent and (self.marker is None or self.marker.exists()):
            if self.marker:
                self.marker.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.reader()

    def describe(self):
        return self.reader.describe()


class FragileSource:
    """A source whose snapshot number ``at`` has such a field."""

    def __init__(self, source, at, marker=None):
        self._source, self._at, self._marker = source, at, marker

    def __getattr__(self, name):
        return getattr(self._source, name)

    def snapshots(self):
        found = self._source.snapshots()
        reader = Ending(found[self._at].reader, os.getpid(), self._marker)
        found[self._at] = replace(found[self._at], reader=reader)
        return found
