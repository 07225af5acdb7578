"""A folder on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gradcascade.errors import InputError
from gradcascade.sources.trees.base import Fetch, Part, TreeFile

_CIRCLE = "{} is a symbolic link that leads in a circle; remove it"


@dataclass(frozen=True)
class LocalTree:
    """A folder that the user named; symbolic links may lead out of it only if that was asked for."""

    root: Path
    links: bool = False
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
            found = sorted(os.scandir(path), key=lambda entry: entry.name)
        except OSError as error:
            raise InputError(f"{path} cannot be listed ({error.strerror}); check its permissions") from None
        for entry in found:
            try:
                entry.is_dir()
            except OSError:
                raise InputError(_CIRCLE.format(entry.path)) from None
        return found

    def check(self, path: str) -> None:
        """Refuse a path that symbolic links lead out of the folder."""
        inside(self.root, self.root / path, links=self.links)

    def small_folder(self, folder: str) -> Path:
        """The folder itself."""
        return self.root / folder

    def cancel(self) -> None:
        """Nothing is downloaded."""

    @contextmanager
    def holding(self, parts: Sequence[Part], keep: Part | None = None) -> Iterator[Fetch]:
        """Files are where they are."""
        yield lambda part: part.local_path


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:
        return 0


def inside(root: Path, path: Path, *, links: bool = False) -> Path:
    """The path, refused if symbolic links lead it out of a folder and `links` does not allow it, or in a circle."""
    try:
        within = path.resolve().is_relative_to(root.resolve())
        with suppress(FileNotFoundError):  # whoever reads it says so
            path.stat()
    except (OSError, RuntimeError):
        raise InputError(_CIRCLE.format(path)) from None
    if not (within or links):
        raise InputError(
            f"{path} is a symbolic link that leads out of {root}; put the files themselves there, or "
            "allow it with --allow-links (links = true in a plan)"
        )
    return path
