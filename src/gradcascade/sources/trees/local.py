"""A folder on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gradcascade.errors import InputError
from gradcascade.sources.trees.base import Fetch, Part, TreeFile


@dataclass(frozen=True)
class LocalTree:
    """A folder that the user named; symbolic links may not lead out of it."""

    root: Path
    revision = ""
    local = True

    @property
    def name(self) -> str:
        """The folder."""
        return str(self.root)

    def files(self, folder: str = "", *, recursive: bool = False) -> list[TreeFile]:
        """Files in a folder by name; links that lead nowhere are among them, for whoever reads them to say so."""
        found = []
        for entry in self._entries(folder):
            path = f"{folder}/{entry.name}".lstrip("/")
            if entry.is_file() or (entry.is_symlink() and not entry.is_dir()):
                found.append(TreeFile(path, _size(entry)))
            elif recursive and entry.is_dir(follow_symlinks=False):
                found += self.files(path, recursive=True)
        return found

    def folders(self, folder: str = "") -> list[str]:
        """Names of the folders in a folder, without hidden ones."""
        return [e.name for e in self._entries(folder) if e.is_dir() and not e.name.startswith(".")]

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        path = self.root / folder
        if not path.is_dir():
            return []
        try:
            return sorted(os.scandir(path), key=lambda entry: entry.name)
        except OSError as error:
            raise InputError(f"{path} cannot be listed ({error.strerror}); check its permissions") from None

    def check(self, path: str) -> None:
        """Refuse a path that symbolic links lead out of the folder."""
        inside(self.root, self.root / path)

    def small_folder(self, folder: str) -> Path:
        """The folder itself."""
        return self.root / folder

    @contextmanager
    def holding(self, parts: Sequence[Part], keep: Part | None = None) -> Iterator[Fetch]:
        """Files are where they are."""
        yield lambda part: part.local_path


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:
        return 0


def inside(root: Path, path: Path) -> Path:
    """The path, refused if symbolic links lead it out of a folder."""
    try:
        within = path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):
        raise InputError(f"{path} is a symbolic link that leads nowhere; remove it") from None
    if not within:
        raise InputError(f"{path} is a symbolic link that leads out of {root}; put the files themselves there")
    return path
