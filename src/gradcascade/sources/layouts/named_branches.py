"""Branches named by a pattern: ``step{step}-seed-default``, ``stage1-step{step}-tokens{tokens}B``, ``step_{step}``.

The pattern stands where an address has its branch, as in ``owner/name@stage1-step{step}-tokens{tokens}B``; it must
match the whole name, so that a repository can hold several runs and stages.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gradcascade.errors import InputError
from gradcascade.sources.base import DIRECTION, MOMENTUM, UPDATE
from gradcascade.sources.layouts.base import Layout, Run, Step
from gradcascade.sources.trees.base import Part

if TYPE_CHECKING:
    from gradcascade.sources.trees.hub.remote_run import RemoteRun

_PARTS = {"{step}": "(?P<step>[0-9]{1,15})", "{tokens}": "[0-9]+(?:[.][0-9]+)?"}


def branches_matching(pattern: str, names: list[str], where: str) -> dict[int, str]:
    """By step, ascending, the names that the pattern matches; two of one step are refused."""
    if pattern.count("{step}") != 1:
        raise InputError(
            f"{where} is laid out in named branches and {pattern!r} does not say where their step stands; write "
            "owner/name@ and the pattern of the branches, such as owner/name@step{step}"
        )
    pieces = re.split(r"(\{step\}|\{tokens\})", pattern)
    expression = re.compile("".join(_PARTS.get(piece, re.escape(piece)) for piece in pieces))
    found: dict[int, str] = {}
    for name in names:
        if match := expression.fullmatch(name):
            step = int(match["step"])
            if step in found:
                raise InputError(
                    f"{where} has two branches for step {step}, {found[step]} and {name}; name another pattern"
                )
            found[step] = name
    if not found:
        raise InputError(f"{where} has no branch that {pattern} matches, of {len(names)}; correct the pattern")
    return dict(sorted(found.items()))


def _on_hub(remote: RemoteRun, which: str) -> Run:
    """List the branches once; what a branch holds is listed when it is read."""
    commits = remote.repository.branches()
    steps = []
    for step, name in branches_matching(remote.address.revision, list(commits), remote.address.name).items():
        tree = remote.tree(commits[name])
        steps.append(
            Step(step, tree, remote.address.folder, checkpoint=Part(tree, remote.address.folder, label=name))
        )
    head = remote.tree("main" if "main" in commits else commits[max(commits)])
    return Run(remote.where, LAYOUT, head, remote.address.folder, tuple(steps))


LAYOUT = Layout(
    "named-branches", 30, rule="parameters", fields=(UPDATE, MOMENTUM, DIRECTION), on_hub=_on_hub,
    step_name="branch of step {}",
)  # fmt: skip
