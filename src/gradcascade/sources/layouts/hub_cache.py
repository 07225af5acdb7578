"""The cache of ``huggingface_hub``: ``models--owner--name/refs/step1000`` has the commit that the branch was at.

Its files lie in ``snapshots/<commit>/``, as links to ``blobs/`` in the same folder. A branch whose commit was fetched
in part, or whose snapshot was removed, is a step without a checkpoint.
"""

from __future__ import annotations

import re
from pathlib import Path

from gradcascade.errors import InputError
from gradcascade.sources.base import UPDATE
from gradcascade.sources.layouts.base import Layout, Step
from gradcascade.sources.layouts.step_folders import step_in
from gradcascade.sources.naming import step_of
from gradcascade.sources.trees.base import Tree

_SHA = re.compile(rb"[0-9a-f]{40}")


def _steps(tree: Tree, run: str) -> tuple[Step, ...]:
    if not tree.local:
        return ()
    names: dict[int, str] = {}
    found: dict[int, Step] = {}
    for file in tree.files(f"{run}/refs".lstrip("/")):
        step, commit = step_of(file.name), _commit(Path(tree.name, file.path))
        if step is None or commit is None:
            continue
        if step in found:
            raise InputError(
                f"{Path(tree.name, run)} has two branches for step {step}, {names[step]} and {file.name}; remove one "
                "from its refs"
            )
        names[step], found[step] = file.name, step_in(tree, step, f"{run}/snapshots/{commit}".lstrip("/"))
    return tuple(found[step] for step in sorted(found))


def _commit(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            match = _SHA.fullmatch(file.read(64).strip())
    except OSError:
        return None
    return match[0].decode() if match else None


LAYOUT = Layout(
    "hub-cache", 85, rule="parameters", fields=(UPDATE,), in_folder=_steps, step_name="snapshot of branch step{}"
)
