"""One run on the hub as a layout sees it: where it lies, and what there is of it."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from gradcascade.errors import InputError
from gradcascade.sources.base import RunName
from gradcascade.sources.naming import RESULTS, step_of_evaluation
from gradcascade.sources.trees.base import TreeFile
from gradcascade.sources.trees.hub.address import Address
from gradcascade.sources.trees.hub.client import Commit, Repository
from gradcascade.sources.trees.hub.space import Space
from gradcascade.sources.trees.hub.tree import HubTree


@dataclass(frozen=True)
class RemoteRun:
    """A run in a repository, of which no file has been read."""

    name: RunName
    address: Address
    repository: Repository
    space: Space
    kept: Path  # folder for its small files
    asked: Collection[int] | None = None  # steps to be measured; None for all

    @property
    def where(self) -> str:
        """Repository and branch, for messages."""
        return f"{self.address.name}@{self.address.revision}"

    def tree(self, revision: str) -> HubTree:
        """The repository at one commit."""
        return HubTree(self.repository, revision, self.space, self.kept)

    def commits(self) -> list[Commit]:
        """Commits of the branch, the newest first; at least one."""
        commits = self.repository.commits(self.address.revision)
        if not commits:
            raise InputError(f"{self.where} has no commits; name another branch")
        return commits

    def run_folder(self, head: HubTree) -> str:
        """The folder of the run in the branch's last commit; empty if the repository itself is the run."""
        if self.address.folder:
            return self.address.folder
        paths = (file.path for file in head.files(recursive=True))
        runs = {match[1] for path in paths if (match := re.fullmatch(r"((?:runs/)?[^/]+)/checkpoints/.*", path))}
        if len(runs) > 1:
            names = ", ".join(sorted(runs))
            raise InputError(f"{self.where} holds several runs ({names}); name one, as in {self.where}:{min(runs)}")
        return next(iter(runs), "")

    def small_files(self, head: HubTree, run: str, *names: str) -> dict[str, TreeFile]:
        """Evaluation results of the steps asked for, and files of the given names, by their place in the run."""
        found = {}
        for file in head.files(run, recursive=True):
            place = file.path.removeprefix(f"{run}/" if run else "")
            folder, _, name = place.rpartition("/")
            step = step_of_evaluation(name) if folder == RESULTS else None
            if place in names or (step is not None and (self.asked is None or step in self.asked)):
                found[place] = file
        return found
