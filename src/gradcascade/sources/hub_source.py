"""A family on the hub: what was found of each run, downloaded snapshot by snapshot."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gradcascade import families
from gradcascade.errors import InputError, SourceLostError
from gradcascade.evaluations import Problem
from gradcascade.fields.kinds import Optimizer
from gradcascade.sources.base import UPDATE, RunName, SnapshotRef
from gradcascade.sources.evaluations import metrics_table, read_evaluations
from gradcascade.sources.layouts import LAYOUTS
from gradcascade.sources.layouts.base import Layout, Run
from gradcascade.sources.naming import step_of_evaluation
from gradcascade.sources.snapshots import Reading, from_gradients, known_place
from gradcascade.sources.trees.base import Part, TreeFile
from gradcascade.sources.trees.hub.address import Address
from gradcascade.sources.trees.hub.client import HubClient
from gradcascade.sources.trees.hub.remote_run import RemoteRun
from gradcascade.sources.trees.hub.space import Space
from gradcascade.sources.trees.hub.tree import HubTree

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Found:
    """What was found of one run, before anything large is downloaded."""

    name: RunName
    run: Run
    tree: HubTree
    snapshots: tuple[SnapshotRef, ...]
    asked: tuple[int, ...]  # steps of the gradients, or of the checkpoints that are subtracted; ascending
    parts: Mapping[int, Part]  # those that are there
    files: int  # large ones of one checkpoint or one gradient
    size: int  # their bytes, about
    held: int  # checkpoints or gradients that lie on disk at once, at most
    entries: int  # of a field, about

    @property
    def checkpoints(self) -> tuple[int, ...]:
        """Steps of the checkpoints that are subtracted, each from the next; none where gradients are read."""
        return self.asked if any(snapshot.field == UPDATE for snapshot in self.snapshots) else ()

    def downloads(self, snapshots: Collection[SnapshotRef]) -> int:
        """How many checkpoints or gradients are downloaded for some of the snapshots."""
        wanted = set(snapshots).intersection(self.snapshots)
        # A gradient goes when it was read, a checkpoint stays for the other fields of its step.
        return len(
            {
                (at.field if from_gradients(at.field) else "", part)
                for at in wanted
                for part in getattr(at.reader, "parts", ())
            }
        )


@dataclass(frozen=True)
class HubSource:
    """A family on the hub; made by `discover_hub`."""

    family: str
    client: HubClient
    space: Space
    found: tuple[Found, ...]
    _complaints: list[Problem] = field(default_factory=list, repr=False, compare=False)

    @property
    def repositories(self) -> dict[RunName, str]:
        """The repository of each run, ``owner/name``."""
        return {found.name: found.tree.name for found in self.found}

    @property
    def checkpoints(self) -> dict[RunName, tuple[int, ...]]:
        """For each run, the steps whose checkpoints are subtracted, each from the next; none of gradients."""
        return {found.name: found.checkpoints for found in self.found}

    def snapshots(self) -> list[SnapshotRef]:
        """Every field there is, by run, steps ascending; nothing is downloaded."""
        return [snapshot for found in self.found for snapshot in found.snapshots]

    def metrics(self) -> pl.DataFrame:
        """Evaluation results of every run, downloaded if need be; `complaints` has what is unreadable."""
        rows = []
        self.space.claim()
        for found in self.found:
            for place, file in found.run.small.items():
                try:
                    found.tree.keep_small(file, place)
                except SourceLostError:
                    raise
                except InputError as error:
                    self._complaints.append(Problem("not-fetched", place, f"{found.name}: {error}"))
            folder = found.tree.kept
            # What an earlier pass left there may not be the run's any more.
            listed = {step_of_evaluation(Path(place).name) for place in found.run.small}
            own = read_evaluations(folder, folder, self._complaints.append, listed)
            rows += [(*found.name, *row) for row in own]
        return metrics_table(self.family, rows)

    def folders(self) -> dict[str, Path]:
        """The folder of each run's small files, which :meth:`metrics` downloads."""
        return {str(found.name): found.tree.kept for found in self.found}

    def complaints(self) -> list[Problem]:
        """Small files that could not be had or read."""
        return list(self._complaints)

    def close(self) -> None:
        """Remove what was downloaded."""
        self.space.close()


def discover_hub(
    client: HubClient,
    space: Space,
    family: str,
    layout: str,
    repositories: Mapping[RunName, Address],
    *,
    steps: Collection[int] | None = None,
    which: str = "train",
    order: str = "file",
    label: str = "later",
    select: tuple[str, ...] = (),
    fields: tuple[str, ...] | None = None,
    optimizer: Optimizer | None = None,
) -> HubSource:
    """Find a family on the hub: its repositories by run, laid out as one of the `LAYOUTS`.

    A step that is asked for and not there is refused when it is loaded, and no difference is taken across it.
    """
    chosen = LAYOUTS.find(layout, argument="layout")
    reading = Reading(family, fields or chosen.fields, which, order, label, select, optimizer)
    names = [address.name for address in repositories.values()]
    remotes = []
    for name, address in repositories.items():
        repository = client.repository(address.name)
        shared = names.count(address.name) > 1
        kept = space.small(repository, f"{address.revision}:{address.folder}" if shared else "")
        remotes.append(RemoteRun(name, address, repository, space, kept, steps))
    reading = replace(reading, kept=tuple((remote.where, remote.kept) for remote in remotes))
    found = [_found(remote, chosen, reading) for remote in remotes]
    return HubSource(family, client, space, tuple(found))


def _found(remote: RemoteRun, layout: Layout, reading: Reading) -> Found:
    run = layout.on_hub(remote, reading.which) if layout.on_hub else _in_folders(remote, layout)
    field = reading.fields[0]
    there = run.parts(reading.which if from_gradients(field) else None)
    asked = tuple(sorted(there if remote.asked is None else remote.asked))
    known = [step for step in asked if step in there]
    if UPDATE in reading.fields and (len(asked) < 2 or not known):
        what = layout.step_name.replace("branch ", "branches ").replace("folder ", "folders ").format("{N}")
        raise InputError(
            f"{run.name} has {len(known)} of the {what} wanted, and a difference takes two; name another repository, "
            "or other steps"
        )
    files = _listed(there[known[-1]]) if known else []
    place = known_place(remote.address.name, run.folder)
    published = reading.select == families.chosen_tensors(place)
    size = sum(file.size for file in files)
    return Found(
        remote.name,
        run,
        remote.tree(run.tree.revision),
        tuple(sorted(reading.snapshots(run, *remote.name, asked=asked), key=lambda at: at.step)),
        asked,
        {step: there[step] for step in known},
        files=len(files) or 1,
        size=size,
        held=2 if UPDATE in reading.fields else 1,
        entries=(published and families.expected_entries(place)) or size // (2 if field == UPDATE else 4),
    )


def _listed(part: Part) -> list[TreeFile]:
    assert isinstance(part.tree, HubTree)
    try:
        return part.tree.files_of(part)
    except SourceLostError:
        raise
    except InputError:  # its own snapshot is refused for that
        return []


def _in_folders(remote: RemoteRun, layout: Layout) -> Run:
    """The run in the folders of a branch's last commit."""
    assert layout.in_folder is not None
    head = remote.tree(remote.commits()[0].sha)
    folder = remote.run_folder(head)
    return Run(
        remote.where,
        layout,
        head,
        folder,
        layout.in_folder(head, folder),
        remote.small_files(head, folder, "training_config.yaml"),
    )
