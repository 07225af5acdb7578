"""Pythia on the hub: differences of adjacent checkpoints, each of them fetched once.

A step is a branch. Each difference holds the later checkpoint for the next one, which needs it as the earlier, so a
pass has at most two checkpoints on disk at any time.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gradcascade import families
from gradcascade.errors import InputError
from gradcascade.sources.base import UPDATE, SnapshotRef
from gradcascade.sources.checkpoint import (
    INDEXED,
    WHOLE,
    checkpoint_file,
    close_checkpoints,
    open_checkpoint,
)
from gradcascade.sources.hub.address import Address
from gradcascade.sources.hub.client import HubClient, RemoteFile, Repository
from gradcascade.sources.hub.record import TensorRecord
from gradcascade.sources.hub.source import Absent, Found, HubSource, Place
from gradcascade.sources.hub.space import Space
from gradcascade.sources.naming import step_of
from gradcascade.sources.readers import Choice, difference
from gradcascade.sources.stored import MAX_HEADER, StoredTensor


@dataclass(frozen=True)
class HubUpdateReader:
    """Fetches and subtracts two checkpoints, and keeps the later for the next difference.

    Parameters
    ----------
    repository : Repository
        Where they lie.
    earlier, later : str
        Their commits.
    space : Space
        Where they go meanwhile.
    record : TensorRecord
        The tensors of the run.
    """

    repository: Repository
    earlier: str
    later: str
    space: Space
    record: TensorRecord

    def __call__(self) -> NDArray[np.floating]:
        """Load the field, shape (N,)."""
        places = [self.space.place(self.repository, revision) for revision in (self.earlier, self.later)]
        self.space.keep_only(*places)
        try:
            return self._read()
        finally:
            close_checkpoints()
            self.space.keep_only(places[1])

    def layout(self) -> tuple[tuple[str, int], ...] | None:
        """Name and number of entries of every tensor of the field, in order; None before the first was loaded."""
        return self.record.layout()

    def _read(self) -> NDArray[np.floating]:
        before, after = (self._open(revision) for revision in (self.earlier, self.later))
        return difference(before, after, self.record.names(after, self._where(self.later)))

    def _open(self, revision: str) -> Mapping[str, StoredTensor]:
        files = checkpoint_files(self.repository.files(revision, recursive=False))
        if not files:
            raise InputError(f"{self._where(revision)} holds no checkpoint ({', '.join(WHOLE)}, or shards of one)")
        for file in files:
            if file.name in INDEXED and file.size > MAX_HEADER:
                raise InputError(
                    f"{file.name} of {self._where(revision)} has {file.size:,} bytes, and an index of shards at most "
                    f"{MAX_HEADER:,}; nothing was downloaded"
                )
        path = checkpoint_file(self.space.fetch(self.repository, revision, files))
        assert path is not None
        tensors = Choice(pico=False).of(open_checkpoint(path), path)
        self.record.names(tensors, self._where(revision))
        return tensors

    def _where(self, revision: str) -> str:
        return f"{self.repository.name} at {revision}"


def checkpoint_files(files: Iterable[RemoteFile]) -> list[RemoteFile]:
    """The files of one checkpoint: one, or an index and its shards; safetensors before pickles.

    Parameters
    ----------
    files : iterable of RemoteFile
        Everything in the folder.

    Returns
    -------
    list of RemoteFile
        Empty if there is no checkpoint.
    """
    named = {file.name: file for file in files if "/" not in file.path}
    for whole, index in zip(WHOLE, INDEXED, strict=True):
        if whole in named:
            return [named[whole]]
        if index in named:
            stem, _, suffix = whole.rpartition(".")
            shard = re.compile(rf"{stem}-[0-9]+-of-[0-9]+\.{suffix}")
            return [named[index], *(file for name, file in sorted(named.items()) if shard.fullmatch(name))]
    return []


def discover_pythia(
    client: HubClient,
    space: Space,
    family: str,
    repositories: Mapping[str, Address],
    *,
    steps: Collection[int] | None = None,
    order: str = "file",
    label: str = "later",
) -> HubSource:
    """Find the checkpoints of Pythia's repositories.

    Parameters
    ----------
    client : HubClient
        The hub.
    space : Space
        Where downloads go.
    family : str
        The family's name.
    repositories : mapping of str to Address
        By scale; steps are the branches ``step{N}``, so none is named.
    steps : collection of int, optional
        Steps of the checkpoints to subtract, each from the next; by default all there are. Differences with one that
        is not there are refused when they are loaded, not bridged.
    order : str
        Order of the tensors; see :func:`gradcascade.sources.naming.ordered`.
    label : str
        The step that labels a difference: the ``"later"`` or the ``"earlier"``.

    Returns
    -------
    HubSource

    Raises
    ------
    InputError
        If a repository cannot be had, is named with a branch or folder, or has fewer than two steps.
    """
    found = []
    for scale, address in repositories.items():
        if address.revision != "main" or address.folder:
            raise InputError(
                f"{address.name} of the scale {scale} is named with a branch or a folder, and pythia reads the "
                "branches step{N}; write owner/name alone"
            )
        repository = client.repository(address.name)
        record = TensorRecord(space.small(repository) / "tensors.json", address.name, order)
        run = _Run(repository, space, record, label)
        found.append(run.found(family, scale, steps))
    return HubSource(family, client, space, tuple(found))


@dataclass(frozen=True)
class _Run:
    repository: Repository
    space: Space
    record: TensorRecord
    label: str

    def found(self, family: str, scale: str, steps: Collection[int] | None) -> Found:
        """List the branches once, and the files of one of them."""
        branches = self._branches()
        wanted = sorted(branches if steps is None else steps)
        there = [step for step in wanted if step in branches]
        if len(wanted) < 2 or not there:
            raise InputError(
                f"{self.repository.name} has {len(there)} of the branches step{{N}} wanted, and a difference takes "
                "two; name another repository, or other steps"
            )
        files = checkpoint_files(self.repository.files(branches[there[-1]], recursive=False))
        size = sum(file.size for file in files)
        return Found(
            scale,
            self.repository,
            tuple(self._snapshot(family, scale, branches, *pair) for pair in pairwise(wanted)),
            self.space.small(self.repository),
            {},
            asked=tuple(wanted),
            places={step: Place(branches[step]) for step in there},
            files=len(files),
            size=size,
            held=2,
            entries=families.expected_entries(self.repository.name) or size // 2,
        )

    def _branches(self) -> dict[int, str]:
        """Commits by step; of several branches for one step the one named ``step{N}`` counts."""
        commits = self.repository.branches()
        names: dict[int, str] = {}
        for name in commits:
            step = step_of(name)
            if step is None or names.get(step) == f"step{step}":
                continue
            if step in names and name != f"step{step}":
                raise InputError(
                    f"{self.repository.name} has two branches for step {step}, {names[step]} and {name}; name "
                    "another repository"
                )
            names[step] = name
        return {step: commits[name] for step, name in names.items()}

    def _snapshot(
        self, family: str, scale: str, branches: Mapping[int, str], earlier: int, later: int
    ) -> SnapshotRef:
        name = self.repository.name
        missing = [step for step in (earlier, later) if step not in branches]
        if missing:
            reader = Absent(
                f"{name} has no branch step{missing[0]}, and a difference over the gap would not be one of adjacent "
                "checkpoints"
            )
        else:
            reader = HubUpdateReader(self.repository, branches[earlier], branches[later], self.space, self.record)
        revision = " minus ".join(branches.get(step, "nothing") for step in (later, earlier))
        source = f"{name}: step{later} minus step{earlier}"
        step = later if self.label == "later" else earlier
        return SnapshotRef(family, scale, step, UPDATE, (), source, revision, reader, span=later - earlier)
