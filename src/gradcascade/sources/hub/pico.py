"""Pico-LM on the hub: recorded gradients, one file at one commit at a time.

In the released layout every save overwrites the same paths and its commit's title names the step. A restarted run
repeats titles: the last commit of a title counts, as the later save overwrote the earlier one. Some runs were
uploaded as the folders they were on disk; there the steps are folders of the branch's last commit.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradcascade import families
from gradcascade.errors import InputError
from gradcascade.sources.base import GRADIENT, SnapshotRef
from gradcascade.sources.evaluations import RESULTS
from gradcascade.sources.hub.address import Address
from gradcascade.sources.hub.client import Commit, HubClient, RemoteFile, Repository
from gradcascade.sources.hub.exchange import MissingError
from gradcascade.sources.hub.record import TensorRecord
from gradcascade.sources.hub.source import Absent, Found, HubSource, Place
from gradcascade.sources.hub.space import Space
from gradcascade.sources.layout import DYNAMICS
from gradcascade.sources.naming import step_of, step_of_evaluation
from gradcascade.sources.readers import Choice
from gradcascade.sources.tensors import assembled, open_tensors

_TITLE = re.compile(r"Saving Learning Dynamics Data \((train|val)\) -- Step ([0-9]{1,15})")
_CONFIGURATION = "training_config.yaml"


@dataclass(frozen=True)
class HubGradientReader:
    """Fetches, reads and forgets one gradient file.

    Parameters
    ----------
    repository : Repository
        Where it lies.
    revision : str
        At which commit.
    path : str
        Its path in the repository.
    file : RemoteFile or None
        As it was listed; None if that commit has not been listed yet.
    space : Space
        Where it goes meanwhile.
    record : TensorRecord
        The tensors of the run.
    """

    repository: Repository
    revision: str
    path: str
    file: RemoteFile | None
    space: Space
    record: TensorRecord

    def __call__(self) -> NDArray[np.floating]:
        """Load the field, shape (N,)."""
        file = self.file or self._listed()
        place = self.space.place(self.repository, self.revision)
        self.space.keep_only(place)
        try:
            folder = self.space.fetch(self.repository, self.revision, [file])
            return self._read(folder / file.name)
        finally:
            self.space.forget(place)

    def layout(self) -> tuple[tuple[str, int], ...] | None:
        """Name and number of entries of every tensor of the field, in order; None before the first was loaded."""
        return self.record.layout()

    def _read(self, path: Path) -> NDArray[np.floating]:
        tensors = Choice(pico=True).of(open_tensors(path), path)
        names = self.record.names(tensors, f"{self.path} of {self.repository.name} at {self.revision}")
        return assembled([tensors[name] for name in names])

    def _listed(self) -> RemoteFile:
        folder = self.path.rpartition("/")[0]
        for file in self.repository.files(self.revision, folder, recursive=False):
            if file.path == self.path:
                return file
        raise MissingError(f"{self.repository.name} has no {self.path} at {self.revision}; nothing was measured")


def discover_pico(
    client: HubClient,
    space: Space,
    family: str,
    repositories: Mapping[str, Address],
    *,
    steps: Collection[int] | None = None,
    which: str = "train",
    order: str = "file",
) -> HubSource:
    """Find the recorded gradients of Pico-LM's repositories.

    Parameters
    ----------
    client : HubClient
        The hub.
    space : Space
        Where downloads go.
    family : str
        The family's name.
    repositories : mapping of str to Address
        By scale.
    steps : collection of int, optional
        Those wanted; by default all there are. One that is not there is refused when it is loaded.
    which : str
        ``"train"`` or ``"val"`` gradients.
    order : str
        Order of the tensors; see :func:`gradcascade.sources.naming.ordered`.

    Returns
    -------
    HubSource

    Raises
    ------
    InputError
        If a repository cannot be had, or has no gradients.
    """
    found = []
    names = [address.name for address in repositories.values()]
    for scale, address in repositories.items():
        repository = client.repository(address.name)
        several = names.count(address.name) > 1
        kept = space.small(repository, f"{address.revision}:{address.folder}" if several else "")
        run = _Run(repository, address, space, kept, which, order)
        found.append(run.found(family, scale, steps))
    return HubSource(family, client, space, tuple(found))


@dataclass(frozen=True)
class _File:
    revision: str
    path: str
    file: RemoteFile | None


@dataclass(frozen=True)
class _Run:
    repository: Repository
    address: Address
    space: Space
    kept: Path
    which: str
    order: str

    @property
    def _gradients(self) -> str:
        return f"{DYNAMICS}/{self.which}_gradients.pt"

    def found(self, family: str, scale: str, steps: Collection[int] | None) -> Found:
        """List the branch once, and what its last commit holds."""
        commits = self.repository.commits(self.address.revision)
        if not commits:
            raise InputError(f"{self._where} has no commits; name another branch")
        head = commits[0].sha
        files = {file.path: file for file in self.repository.files(head)}
        run = self._run_folder(files)
        places = self._in_folders(head, files, run) | self._in_commits(commits, files)
        if not places:
            raise InputError(
                f"{self._where} has no {self.which} gradients: no commit titled 'Saving Learning Dynamics Data "
                f"({self.which}) -- Step N', and no step_N/{self._gradients}; name another branch"
            )
        wanted = sorted(places if steps is None else steps)
        size = max((file.size for path, file in files.items() if path.endswith(self._gradients)), default=0)
        return Found(
            scale,
            self.repository,
            tuple(self._snapshot(family, scale, step, places.get(step)) for step in wanted),
            self.kept,
            self._small(head, files, run, steps),
            asked=tuple(wanted),
            places={step: self._place(at) for step, at in places.items() if step in wanted},
            files=1,
            size=size,
            held=1,
            entries=families.expected_entries(self.address.name) or size // 4,
        )

    def _place(self, at: _File) -> Place:
        return Place(at.revision, at.path.removesuffix(self._gradients).rstrip("/"), self._gradients)

    @property
    def _where(self) -> str:
        return f"{self.address.name}@{self.address.revision}"

    def _in_commits(self, commits: list[Commit], files: Mapping[str, RemoteFile]) -> dict[int, _File]:
        """Steps by the titles of commits; the newest comes first, and stays."""
        found: dict[int, _File] = {}
        path = "/".join(filter(None, (self.address.folder, self._gradients)))
        for commit in commits:
            match = _TITLE.fullmatch(commit.title)
            if match and match[1] == self.which:
                found.setdefault(int(match[2]), _File(commit.sha, path, None))
        return found

    def _run_folder(self, files: Mapping[str, RemoteFile]) -> str:
        """The folder that holds the steps, with its slash; empty if the repository itself is the run."""
        if self.address.folder:
            return f"{self.address.folder}/"
        runs = {match[1] for path in files if (match := re.fullmatch(r"((?:runs/)?[^/]+/)checkpoints/.*", path))}
        if len(runs) > 1:
            names = ", ".join(sorted(run.rstrip("/") for run in runs))
            raise InputError(f"{self._where} holds several runs ({names}); name one, as in {self._where}:{min(runs)}")
        return next(iter(runs), "")

    def _in_folders(self, head: str, files: Mapping[str, RemoteFile], run: str) -> dict[int, _File]:
        found: dict[int, _File] = {}
        for path, file in files.items():
            if not path.startswith(run) or not path.endswith(f"/{self._gradients}"):
                continue
            folder = path[len(run) :].removesuffix(f"/{self._gradients}").removeprefix("checkpoints/")
            step = step_of(folder)
            if step is not None:
                found[step] = _File(head, path, file)
        return found

    def _small(
        self, head: str, files: Mapping[str, RemoteFile], run: str, steps: Collection[int] | None
    ) -> dict[str, tuple[RemoteFile, str]]:
        found = {}
        for path, file in files.items():
            place = path.removeprefix(run)
            folder, _, name = place.rpartition("/")
            step = step_of_evaluation(name) if folder == RESULTS else None
            if place == _CONFIGURATION or (step is not None and (steps is None or step in steps)):
                found[place] = (file, head)
        return found

    def _snapshot(self, family: str, scale: str, step: int, place: _File | None) -> SnapshotRef:
        if place is None:
            place = _File(self.address.revision, self._gradients, None)
            reader = Absent(f"{self._where} has no {self.which} gradient of step {step}; leave the step out")
        else:
            record = TensorRecord(self.kept / "tensors.json", self.address.name, self.order)
            reader = HubGradientReader(self.repository, place.revision, place.path, place.file, self.space, record)
        source = f"{self.address.name}: {place.path}"
        return SnapshotRef(family, scale, step, GRADIENT, (), source, place.revision, reader)
