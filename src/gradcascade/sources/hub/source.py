"""A family on the hub: what was found of each scale, fetched snapshot by snapshot."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError, SourceLostError
from gradcascade.sources.base import UPDATE, SnapshotRef
from gradcascade.sources.evaluations import metrics_table, read_evaluations
from gradcascade.sources.hub.client import HubClient, RemoteFile, Repository
from gradcascade.sources.hub.exchange import MissingError
from gradcascade.sources.hub.space import Space
from gradcascade.sources.naming import step_of_evaluation
from gradcascade.sources.stored import MAX_HEADER

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Place:
    """Where the files of one step lie.

    Parameters
    ----------
    revision : str
        The commit.
    folder : str
        The step's folder in the repository; empty for its root.
    file : str
        The one file that is read, as seen from the folder; empty for a checkpoint, which may have several.
    """

    revision: str
    folder: str = ""
    file: str = ""


@dataclass(frozen=True)
class Found:
    """What was found of one scale, before anything large is fetched.

    Parameters
    ----------
    scale : str
        The scale.
    repository : Repository
        Where it lies.
    snapshots : tuple of SnapshotRef
        Its fields, steps ascending.
    kept : pathlib.Path
        Folder for the small files of this run, which no other shares.
    small : mapping of str to tuple
        Evaluation results and the training configuration: where each belongs in the folder of small files, with the
        file and its commit.
    asked : tuple of int
        Steps of the gradients, or of the checkpoints that are subtracted, each from the next; ascending.
    places : mapping of int to Place
        Where the steps lie; those that are asked for and are not there are missing.
    files : int
        Large files of one checkpoint or one gradient.
    size : int
        Their bytes, about.
    held : int
        Checkpoints or gradients that lie on disk at once, at most.
    entries : int
        Entries of a field, about.
    """

    scale: str
    repository: Repository
    snapshots: tuple[SnapshotRef, ...]
    kept: Path
    small: Mapping[str, tuple[RemoteFile, str]]
    asked: tuple[int, ...]
    places: Mapping[int, Place]
    files: int
    size: int
    held: int
    entries: int

    @property
    def checkpoints(self) -> tuple[int, ...]:
        """Steps of the checkpoints that are subtracted, each from the next; none where gradients are read."""
        return self.asked if any(snapshot.field == UPDATE for snapshot in self.snapshots) else ()

    def fetches(self, snapshots: Collection[SnapshotRef]) -> int:
        """How many checkpoints or gradients are fetched for some of the snapshots."""
        ends = pairwise(self.asked) if self.checkpoints else ((step,) for step in self.asked)
        wanted, needed = set(snapshots), set[int]()
        for snapshot, steps in zip(self.snapshots, ends, strict=True):
            if snapshot in wanted and all(step in self.places for step in steps):
                needed.update(steps)
        return len(needed)


@dataclass(frozen=True)
class HubSource:
    """A family on the hub; made by `open_hub`.

    Parameters
    ----------
    family : str
        The family's name.
    client : HubClient
        The hub.
    space : Space
        Where downloads go.
    found : tuple of Found
        What it has of each scale.
    """

    family: str
    client: HubClient
    space: Space
    found: tuple[Found, ...]
    _complaints: list[str] = field(default_factory=list, repr=False, compare=False)

    @property
    def repositories(self) -> dict[str, str]:
        """The repository of each scale, ``owner/name``."""
        return {found.scale: found.repository.name for found in self.found}

    @property
    def checkpoints(self) -> dict[str, tuple[int, ...]]:
        """For each scale, the steps whose checkpoints are subtracted, each from the next; none of gradients."""
        return {found.scale: found.checkpoints for found in self.found}

    def snapshots(self) -> list[SnapshotRef]:
        """Every field there is, by scale, steps ascending; nothing is fetched."""
        return [snapshot for found in self.found for snapshot in found.snapshots]

    def metrics(self) -> pl.DataFrame:
        """Evaluation results of every scale, fetched if they are not here.

        Returns
        -------
        polars.DataFrame
            Columns family, scale, step, metric, value; value is null where it was not finite. A file that cannot be
            had or read is left out, and named by `complaints`.

        Raises
        ------
        SourceLostError
            If the hub cannot be reached.
        """
        rows = []
        self.space.claim()
        for found in self.found:
            folder = found.kept
            for place, (file, revision) in found.small.items():
                self._fetch_small(found, file, revision, folder / place)
            listed = {step_of_evaluation(Path(place).name) for place in found.small}
            try:  # what an earlier pass left there may not be the run's any more
                rows += [(found.scale, *row) for row in read_evaluations(folder, folder) if row[0] in listed]
            except InputError as error:
                self._complaints.append(f"{found.scale}: {error}")
        return metrics_table(self.family, rows)

    def folders(self) -> dict[str, Path]:
        """The folder of each scale's small files, which :meth:`metrics` fetches."""
        return {found.scale: found.kept for found in self.found}

    def complaints(self) -> list[str]:
        """A sentence for everything besides snapshots that could not be had."""
        return list(self._complaints)

    def close(self) -> None:
        """Forget what was downloaded."""
        self.space.close()

    def _fetch_small(self, found: Found, file: RemoteFile, revision: str, target: Path) -> None:
        try:
            if file.size > MAX_HEADER:
                raise InputError(
                    f"{file.path} of {found.repository.name} has {file.size:,} bytes, and evaluation results or a "
                    f"configuration at most {MAX_HEADER:,}; it was not downloaded"
                )
            found.repository.fetch(file, revision, target)
        except SourceLostError:
            raise
        except InputError as error:
            self._complaints.append(f"{found.scale}: {error}")


@dataclass(frozen=True)
class Absent:
    """Stands for a snapshot that was asked for and is not there."""

    reason: str

    def __call__(self) -> NDArray[np.floating]:
        """Say so."""
        raise MissingError(self.reason)
