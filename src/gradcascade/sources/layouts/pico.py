"""Pico: a folder per step on disk; on the hub every save overwrites the same paths, and its commit's title names it.

A restarted run repeats titles: the last commit of a title counts, as the later save overwrote the earlier one. Some
runs were uploaded as the folders they were on disk; there the steps are folders of the branch's last commit.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from gradcascade.errors import InputError
from gradcascade.sources.base import GRADIENT
from gradcascade.sources.layouts.base import Layout, Run, Step
from gradcascade.sources.layouts.step_folders import DYNAMICS, step_folders, steps_in
from gradcascade.sources.trees.base import Part, Tree

if TYPE_CHECKING:
    from gradcascade.sources.trees.hub.client import Commit
    from gradcascade.sources.trees.hub.remote_run import RemoteRun

_TITLE = re.compile(r"Saving Learning Dynamics Data \((train|val)\) -- Step ([0-9]{1,15})")
_CONFIGURATION = "training_config.yaml"


def _in_folder(tree: Tree, run: str) -> tuple[Step, ...]:
    """The steps of a run that has recorded gradients or Pico's configuration."""
    configured = any(file.name == _CONFIGURATION for file in tree.files(run))
    if configured or any(DYNAMICS in tree.folders(folder) for folder in step_folders(tree, run).values()):
        return steps_in(tree, run)
    return ()


def _on_hub(remote: RemoteRun, which: str) -> Run:
    """List the branch once, and what its last commit holds."""
    commits = remote.commits()
    head = remote.tree(commits[0].sha)
    run = remote.run_folder(head)
    found = {step.step: step for step in steps_in(head, run)}
    for step, gradients in _titled(remote, commits).items():
        found[step] = Step(step, next(iter(gradients.values())).tree, remote.address.folder, gradients)
    if not any(which in step.gradients for step in found.values()):
        raise InputError(
            f"{remote.where} has no {which} gradients: no commit titled 'Saving Learning Dynamics Data ({which}) -- "
            f"Step N', and no step_N/{DYNAMICS}/{which}_gradients.pt; name another branch"
        )
    steps = tuple(found[step] for step in sorted(found))
    return Run(remote.where, LAYOUT, head, run, steps, remote.small_files(head, run, _CONFIGURATION))


def _titled(remote: RemoteRun, commits: Iterable[Commit]) -> dict[int, dict[str, Part]]:
    """Gradients by the titles of commits; the newest comes first, and stays."""
    found: dict[int, dict[str, Part]] = defaultdict(dict)
    for commit in commits:
        if match := _TITLE.fullmatch(commit.title):
            file = f"{DYNAMICS}/{match[1]}_gradients.pt"
            found[int(match[2])].setdefault(match[1], Part(remote.tree(commit.sha), remote.address.folder, file))
    return found


LAYOUT = Layout("pico-lm", 10, rule="pico", fields=(GRADIENT,), in_folder=_in_folder, on_hub=_on_hub)
