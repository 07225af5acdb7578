"""A repository of the hub at one commit, as a tree whose files are downloaded while they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gradcascade.errors import InputError, MissingError
from gradcascade.sources.checkpoint import INDEXED, WHOLE, checkpoint_files, close_checkpoints, opening_file
from gradcascade.sources.stored import MAX_HEADER
from gradcascade.sources.trees.base import Fetch, Part, TreeFile
from gradcascade.sources.trees.hub.client import Repository
from gradcascade.sources.trees.hub.session import NoSuchFileError
from gradcascade.sources.trees.hub.space import Space


@dataclass(frozen=True)
class HubTree:
    """A repository at one commit, the space its files pass through, and the folder of its run's small files."""

    repository: Repository
    revision: str
    space: Space
    kept: Path
    local = False

    @property
    def name(self) -> str:
        """``owner/name`` of the repository."""
        return self.repository.name

    def files(self, folder: str = "", *, recursive: bool = False) -> list[TreeFile]:
        """Files in a folder; a listing of the whole commit serves all its folders."""
        whole = self.repository.known_files(self.revision, folder)
        if whole is None and not (recursive and not folder):
            try:
                return self.repository.files(self.revision, folder, recursive=recursive)
            except NoSuchFileError:
                return []
        start = f"{folder}/" if folder else ""
        inside = [file for file in whole or self.repository.files(self.revision) if file.path.startswith(start)]
        return [file for file in inside if recursive or "/" not in file.path[len(start) :]]

    def folders(self, folder: str = "") -> list[str]:
        """Names of the folders in a folder."""
        start = f"{folder}/" if folder else ""
        below = (f.path[len(start) :] for f in self.files(recursive=True) if f.path.startswith(start))
        names = {path.partition("/")[0] for path in below if "/" in path}
        return sorted(name for name in names if not name.startswith("."))

    def check(self, path: str) -> None:
        """A repository has no links."""

    def small_folder(self, folder: str) -> Path:
        """Folder of the small files of the run, each there once it was downloaded."""
        return self.kept

    def keep_small(self, file: TreeFile, place: str) -> Path:
        """Download a small file into the folder of the run's small files; a large one is refused."""
        if file.size > MAX_HEADER:
            raise InputError(
                f"{file.path} of {self.name} has {file.size:,} bytes, and evaluation results or a configuration at "
                f"most {MAX_HEADER:,}; it was not downloaded"
            )
        return self.repository.fetch(file, self.revision, self.kept / place)

    def cancel(self) -> None:
        """Have downloads of another thread give up: nothing more can be fetched."""
        self.repository.client.cancelled = True

    @contextmanager
    def holding(self, parts: Sequence[Part], keep: Part | None = None) -> Iterator[Fetch]:
        """Download parts as they are asked for; everything else in the space goes before, all but `keep` after."""
        places = {part: _tree_of(part)._place(part) for part in parts}
        self.space.keep_only(*places.values())
        try:
            yield lambda part: _tree_of(part)._download(part)
        finally:
            close_checkpoints()
            if keep is not None:
                self.space.keep_only(places[keep])
            else:
                for place in places.values():
                    self.space.forget(place)

    def _place(self, part: Part) -> Path:
        return self.space.place(self.repository, self.revision, part.path)

    def _download(self, part: Part) -> Path:
        files = self.files_of(part)
        place = self.space.fetch(self.repository, self.revision, files, part.path)
        return place / (opening_file(file.name for file in files) or files[0].name)

    def files_of(self, part: Part) -> list[TreeFile]:
        """The files of a part as the commit lists them."""
        if part.single:
            found = [f for f in self.files(part.path.rpartition("/")[0]) if f.path == part.path]
            if not found:
                raise MissingError(f"{self.name} has no {part.path} at {self.revision}; nothing was measured")
            return found
        found = checkpoint_files(self.files(part.folder), part.folder)
        if not found and (below := self._below(part.folder)):  # as DeepSpeed's global_step1000
            found = checkpoint_files(self.files(below), below)
        if not found:
            raise InputError(f"{part.where} holds no checkpoint ({', '.join(WHOLE)}, or shards of one)")
        for file in found:
            if file.name in INDEXED and file.size > MAX_HEADER:
                raise InputError(
                    f"{file.path} of {self.name} at {self.revision} has {file.size:,} bytes, and an index of shards "
                    f"at most {MAX_HEADER:,}; nothing was downloaded"
                )
        return found

    def _below(self, folder: str) -> str:
        """The folder within another that holds a checkpoint; empty if none does."""
        start = f"{folder}/" if folder else ""
        names = [file.path.removeprefix(start) for file in self.files(folder, recursive=True)]
        opening = opening_file(name for name in names if name.count("/") == 1)
        return start + opening.partition("/")[0] if opening else ""


def _tree_of(part: Part) -> HubTree:
    assert isinstance(part.tree, HubTree)
    return part.tree
