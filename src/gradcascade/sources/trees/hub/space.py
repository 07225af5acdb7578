"""The folder of downloads of one study: it holds what is being read, and removes it afterwards.

``small/`` keeps what costs nothing (evaluation results, training configurations, names of tensors); ``passing/``
holds the files being read, each checkpoint in a folder of its own, and is empty when a run has ended.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradcascade.errors import SourceLostError
from gradcascade.sources.trees.base import TreeFile
from gradcascade.sources.trees.hub.client import Repository

_LOCKS: dict[Path, Any] = {}


@dataclass(frozen=True)
class Space:
    """A folder of downloads, used by one process at a time; made with the first download."""

    folder: Path

    def small(self, repository: Repository, run: str = "") -> Path:
        """Folder for small files of a repository that are kept; of one run, where several lie in the repository."""
        name = repository.name.replace("/", "--") + (f"@{_digest(run)}" if run else "")
        return self.folder / "small" / name

    def place(self, repository: Repository, revision: str, part: str = "") -> Path:
        """Folder for files of one commit, or of one part of it, that are read and removed."""
        name = f"{repository.name.replace('/', '--')}@{revision[:16]}" + (f"-{_digest(part)}" if part else "")
        return self.folder / "passing" / name

    def fetch(self, repository: Repository, revision: str, files: Iterable[TreeFile], part: str = "") -> Path:
        """Download files of one commit; gives the folder they lie in, by the last parts of their names."""
        self.claim()
        place = self.place(repository, revision, part)
        for file in files:
            repository.fetch(file, revision, place / file.name)
        return place

    def keep_only(self, *places: Path) -> None:
        """Remove all downloads that are being read, except these places."""
        self.claim()
        for path in self._passing():
            if path in places:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:  # left by a file browser, or a link, which is not followed
                path.unlink()

    def forget(self, place: Path) -> None:
        """Remove what was downloaded to a place, except what is incomplete."""
        if not place.is_dir():
            return
        for file in place.iterdir():
            if file.suffix != ".part":
                file.unlink()
        if not any(place.iterdir()):
            place.rmdir()

    def close(self) -> None:
        """Remove all complete downloads; incomplete ones stay, so that they can be continued."""
        lock = _LOCKS.pop(self.folder.resolve(), None)
        if lock is None:
            return
        for path in self._passing():
            self.forget(path)
        with contextlib.suppress(OSError):  # only if it is empty
            (self.folder / "passing").rmdir()
        lock.release()

    def _passing(self) -> list[Path]:
        folder = self.folder / "passing"
        return sorted(folder.iterdir()) if folder.is_dir() else []

    def claim(self) -> None:
        """Take the folder for this process until `close`."""
        key = self.folder.resolve()
        if key in _LOCKS:
            return
        from filelock import FileLock, Timeout

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / ".lock", timeout=0)
            lock.acquire()
        except Timeout:
            raise SourceLostError(
                f"another process is downloading into {self.folder}; wait until it has finished, or measure into "
                "another study"
            ) from None
        except OSError as error:
            said = f"{self.folder} cannot be written ({error.strerror or error}); check its permissions"
            raise SourceLostError(said) from None
        _LOCKS[key] = lock


def _digest(run: str) -> str:
    return hashlib.sha256(run.encode()).hexdigest()[:12]
