"""Pythia: a branch ``step{N}`` of the repository for every checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcascade.errors import InputError
from gradcascade.sources.base import UPDATE
from gradcascade.sources.layouts.base import Layout, Run, Step
from gradcascade.sources.naming import step_of
from gradcascade.sources.trees.base import Part

if TYPE_CHECKING:
    from gradcascade.sources.trees.hub.remote_run import RemoteRun


def _on_hub(remote: RemoteRun, which: str) -> Run:
    """List the branches once; what a branch holds is listed when it is read."""
    if remote.address.revision != "main" or remote.address.folder:
        raise InputError(
            f"{remote.address.name} of the scale {remote.name} is named with a branch or a folder, and pythia reads "
            "the branches step{N}; write owner/name alone"
        )
    steps = []
    for step, commit in sorted(_branches(remote).items()):
        tree = remote.tree(commit)
        steps.append(Step(step, tree, "", checkpoint=Part(tree, label=f"step{step}")))
    return Run(remote.address.name, LAYOUT, remote.tree("main"), "", tuple(steps))


def _branches(remote: RemoteRun) -> dict[int, str]:
    """Commits by step; of several branches for one step the one named ``step{N}`` counts."""
    commits = remote.repository.branches()
    names: dict[int, str] = {}
    for name in commits:
        step = step_of(name)
        if step is None or names.get(step) == f"step{step}":
            continue
        if step in names and name != f"step{step}":
            raise InputError(
                f"{remote.address.name} has two branches for step {step}, {names[step]} and {name}; name another "
                "repository"
            )
        names[step] = name
    return {step: commits[name] for step, name in names.items()}


LAYOUT = Layout("pythia", 20, rule="parameters", fields=(UPDATE,), on_hub=_on_hub, step_name="branch step{}")
