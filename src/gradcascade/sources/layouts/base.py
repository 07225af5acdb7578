"""What a layout declares, and what it finds: runs with their steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gradcascade.sources.trees.base import Part, Tree, TreeFile

if TYPE_CHECKING:
    from gradcascade.sources.trees.hub.remote_run import RemoteRun

GRADIENTS = ("train", "val")


@dataclass(frozen=True)
class Step:
    """What one step of a run has; a step without anything is among them, so that it can be missed."""

    step: int
    tree: Tree
    folder: str
    gradients: Mapping[str, Part] = field(default_factory=dict)
    """By ``"train"`` and ``"val"``, those that are there."""
    checkpoint: Part | None = None
    draws: Mapping[int, Part] = field(default_factory=dict)
    """Where there are gradients of several batches at the same weights, each by its number; above is the first."""
    refused: str = ""  # why its folder may not be read; empty if it may


@dataclass(frozen=True)
class Run:
    """One training run: its steps, ascending, and on the hub its small files by their place in the run's folder."""

    name: str
    layout: Layout
    tree: Tree
    folder: str
    steps: tuple[Step, ...]
    small: Mapping[str, TreeFile] = field(default_factory=dict)
    copies: tuple[str, ...] = ()
    """Checkpoints left out since their names say that they hold a step again, such as ``last.ckpt``."""

    def parts(self, which: str | None) -> dict[int, Part]:
        """By step, the gradients of ``"train"`` or ``"val"``; of None, the checkpoints."""
        return {step: part for step, part in self._all(which).items() if not part.refused}

    def refused(self, which: str | None) -> dict[int, str]:
        """By step, why what `parts` would have may not be read; what is in a folder that may not, nobody knows."""
        found = self._all(which)
        whole = {step.step: step.refused for step in self.steps if step.refused}
        if not found and any(step.gradients or step.checkpoint for step in self.steps):
            whole = {}  # the other steps have none of it, so these will not either
        return whole | {step: part.refused for step, part in found.items() if part.refused}

    def _all(self, which: str | None) -> dict[int, Part]:
        found = {step.step: step.gradients.get(which) if which else step.checkpoint for step in self.steps}
        return {step: part for step, part in found.items() if part}

    def draws(self, which: str) -> dict[int, Mapping[int, Part]]:
        """By step and number, gradients of several batches at the same weights; none of validation."""
        return {step.step: step.draws for step in self.steps if step.draws} if which == "train" else {}


@dataclass(frozen=True)
class Layout:
    """One way to arrange the files of a run."""

    name: str
    """As a plan names it."""
    order: float
    """Layouts are asked in ascending order whether a folder is theirs."""
    rule: str
    """Which tensors make up a field by default; one of :data:`gradcascade.sources.choice.RULES`."""
    fields: tuple[str, ...]
    """Kinds of field that it has on the hub."""
    in_folder: Callable[[Tree, str], tuple[Step, ...]] | None = None
    """The steps of the run in a folder of a tree, on disk or on the hub; none if the folder is not laid out so."""
    on_hub: Callable[[RemoteRun, str], Run] | None = None
    """The run in the history of a repository, with the gradients of ``"train"`` or ``"val"``; by default the steps
    are folders of the branch's last commit."""
    step_name: str = "folder step_{}"
    """What holds one step, for messages."""
