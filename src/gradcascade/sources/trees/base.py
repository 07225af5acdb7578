"""What a tree of files offers, wherever it lies."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from gradcascade.errors import InputError


@dataclass(frozen=True)
class TreeFile:
    """A file as a listing describes it; its hashes are None where the listing has none."""

    path: str  # in the tree, with slashes
    size: int
    sha256: str | None = None
    oid: str | None = None  # git's name: the SHA-1 of a small file with git's header, of a pointer for a large one

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    def is_in(self, path: Path) -> bool:
        """Whether a local file has exactly these bytes."""
        if path.stat().st_size != self.size:
            return False
        with path.open("rb") as stream:
            if self.sha256:
                return hashlib.file_digest(stream, "sha256").hexdigest() == self.sha256
            digest = hashlib.sha1(b"blob %d\0" % self.size, usedforsecurity=False)
            while block := stream.read(1 << 20):
                digest.update(block)
            return digest.hexdigest() == self.oid


class Tree(Protocol):
    """A folder of files on disk, or a repository of the hub at one commit; paths in it have slashes."""

    @property
    def name(self) -> str:
        """The folder, or the repository."""
        ...

    @property
    def revision(self) -> str:
        """The commit; empty on disk."""
        ...

    @property
    def local(self) -> bool:
        """Whether its files lie on this machine."""
        ...

    def files(self, folder: str = "", *, recursive: bool = False) -> list[TreeFile]:
        """Files in a folder of the tree; none if there is no such folder."""
        ...

    def folders(self, folder: str = "") -> list[str]:
        """Names of the folders in a folder of the tree, those of hidden ones left out; none if it is not there."""
        ...

    def check(self, path: str) -> None:
        """Refuse a path that leads out of the tree."""
        ...

    def small_folder(self, folder: str) -> Path:
        """Local folder of the small files of a run."""
        ...

    def cancel(self) -> None:
        """Have downloads of another thread give up."""
        ...

    def holding(self, parts: Sequence[Part], keep: Part | None = None) -> AbstractContextManager[Fetch]:
        """Have some parts at hand within a block; afterwards only `keep` stays, where something was downloaded."""
        ...


@dataclass(frozen=True)
class Part:
    """What is opened as one set of tensors: a file of a tree, or the checkpoint that a folder of it holds."""

    tree: Tree
    folder: str = ""  # of the step
    file: str = ""  # path from there; empty for a checkpoint whose files are not listed yet
    label: str = ""  # what it is called where a field says what it was read from; by default its path
    refused: str = ""  # why it may not be read; empty if it may

    def checked(self) -> Part:
        """The same, refused if its path leads out of the tree."""
        try:
            self.tree.check(self.path)
        except InputError as error:
            return replace(self, refused=str(error))
        return self

    @property
    def path(self) -> str:
        """Its path in the tree; the folder where the file is not known."""
        return "/".join(filter(None, (self.folder, self.file)))

    @property
    def single(self) -> bool:
        """Whether it is one file that is known, and not a checkpoint, which may have several."""
        return bool(self.file) and not self.file.endswith(".index.json")

    @property
    def source(self) -> str:
        """What it is called where a field says what it was read from."""
        return self.label or self.path

    @property
    def where(self) -> str:
        """What it is called in messages."""
        if self.tree.local:
            return str(Path(self.tree.name, self.path))
        return " of ".join(filter(None, (self.path, f"{self.tree.name} at {self.tree.revision}")))

    @property
    def local_path(self) -> Path:
        """Where it lies, if the tree is on disk."""
        return Path(self.tree.name, self.path)


Fetch = Callable[[Part], Path]  # gives the local path of the file that opens a part
