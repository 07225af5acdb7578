"""Gradients of Pythia as recorded by pretraining-playground: several batches at every checkpoint's weights.

``checkpoint_1000/checkpoint_gradients_998.pickle`` is the gradient of the weights of step 1000 for the batch of step
998. The batches differ by the data alone, so they are draws of one gradient and not runs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gradcascade.errors import InputError
from gradcascade.sources.base import GRADIENT, MEAN_GRADIENT
from gradcascade.sources.layouts.base import Layout, Run, Step
from gradcascade.sources.trees.base import Part, Tree

if TYPE_CHECKING:
    from gradcascade.sources.trees.hub.remote_run import RemoteRun

_FARTHEST = 100  # steps of a batch from its checkpoint; published are 5
_PLACE = re.compile(r"(?:.*/)?checkpoint_([0-9]{1,15})/checkpoint_gradients_([0-9]{1,15})\.pickle")


def _steps(tree: Tree, run: str) -> tuple[Step, ...]:
    """The steps of the run in a folder, whose subfolders hold a pickle for every batch."""
    draws: dict[int, dict[int, Part]] = {}
    start = f"{run}/" if run else ""
    if tree.local and not any(name.startswith("checkpoint_") for name in tree.folders(run)):
        return ()  # else the whole of a large folder would be listed
    for file in tree.files(run, recursive=True):
        below = file.path.removeprefix(start)
        if below.count("/") == 1 and (match := _PLACE.fullmatch(below)):
            step, batch = int(match[1]), int(match[2])
            folder, _, name = file.path.rpartition("/")
            tree.check(file.path)
            draws.setdefault(step, {})[_draw(batch - step, file.path)] = Part(tree, folder, name)
    found = []
    for step, own in sorted(draws.items()):
        own = dict(sorted(own.items()))
        first = next(iter(own.values()))
        found.append(Step(step, tree, first.folder, {"train": first}, draws=own))
    return tuple(found)


def _draw(distance: int, path: str) -> int:
    """0 for the checkpoint's own batch, 1 and 2 for the ones after and before it, and so on: it never changes."""
    if abs(distance) > _FARTHEST:
        raise InputError(
            f"{path} is of a batch {abs(distance)} steps away from its checkpoint, and those within "
            f"{_FARTHEST} are read; check its name"
        )
    return 2 * distance - 1 if distance > 0 else -2 * distance


def _on_hub(remote: RemoteRun, which: str) -> Run:
    if which != "train":
        raise InputError(f'{remote.where} has gradients of training alone; set gradients = "train"')
    commits = remote.repository.branches()
    if remote.address.revision not in commits:
        raise InputError(f"{remote.address.name} has no branch {remote.address.revision}; name another")
    tree = remote.tree(commits[remote.address.revision])
    steps = _steps(tree, remote.address.folder)
    if not steps:
        raise InputError(
            f"{remote.where} has no checkpoint_N/checkpoint_gradients_N.pickle in "
            f"{remote.address.folder or 'its root'}; name the folder of a model, as in owner/name:models/70m"
        )
    return Run(f"{remote.where}:{remote.address.folder}", LAYOUT, tree, remote.address.folder, steps)


LAYOUT = Layout(
    "pythia-gradients", 40, rule="parameters", fields=(GRADIENT, MEAN_GRADIENT), in_folder=_steps, on_hub=_on_hub,
    step_name="folder checkpoint_{}",
)  # fmt: skip
