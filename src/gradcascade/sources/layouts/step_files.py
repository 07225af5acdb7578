"""A file per step: ``ckpt_001000.pt`` (nanoGPT, llama2.c), Lightning's ``epoch=3-step=1000.ckpt``.

The files lie in the folder of a run or under ``checkpoints/``, also in its one ``lightning_logs/version_N``.
``last.ckpt``, ``best``, and ``ckpt.pt`` beside numbered ones hold a step again, and are left out.
"""

from __future__ import annotations

from pathlib import Path

from gradcascade.errors import InputError
from gradcascade.sources.base import UPDATE
from gradcascade.sources.layouts.base import Layout, Step
from gradcascade.sources.layouts.step_folders import places_of
from gradcascade.sources.naming import step_of_file
from gradcascade.sources.trees.base import Part, Tree

_LOGS = "lightning_logs"


def _steps(tree: Tree, run: str) -> tuple[Step, ...]:
    for place in [*places_of(run), *_versions(tree, run)]:
        found: dict[int, Step] = {}
        for file in tree.files(place):
            step = step_of_file(file.name)
            if step is None:
                continue
            if step in found:
                other = found[step].checkpoint
                raise InputError(
                    f"{Path(tree.name, place)} has two files for step {step}, {other.file if other else ''} and "
                    f"{file.name}; keep one"
                )
            found[step] = Step(step, tree, place, checkpoint=Part(tree, place, file.name).checked())
        if found:
            return tuple(found[step] for step in sorted(found))
    return ()


def _versions(tree: Tree, run: str) -> list[str]:
    """The checkpoints of Lightning's logs; several versions are several runs, of which none is taken."""
    logs = f"{run}/{_LOGS}".lstrip("/")
    versions = tree.folders(logs)
    if len(versions) > 1:
        raise InputError(
            f"{Path(tree.name, logs)} holds {len(versions)} runs ({versions[0]} to {versions[-1]}); name the one "
            "that is meant in a plan, or keep one"
        )
    return [f"{logs}/{name}/checkpoints" for name in versions]


LAYOUT = Layout("step-files", 95, rule="parameters", fields=(UPDATE,), in_folder=_steps, step_name="file of step {}")
