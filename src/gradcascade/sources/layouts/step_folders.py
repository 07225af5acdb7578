"""A folder per step, as most trainers write it: ``step_N``, ``checkpoint-N``, ``stepN-unsharded``, ``iter_N``.

The folders lie in the run's own or under ``checkpoints/`` or ``checkpoint/``. A step has gradients, or a checkpoint
of one of the :data:`gradcascade.sources.checkpoints.CHECKPOINTS`, or both; a checkpoint may lie in a folder within,
as DeepSpeed's and distributed ones do. The gradients are
``learning_dynamics/train_gradients``, else ``train_gradients``, else ``gradients`` (of training), each as ``.pt``,
else as ``.safetensors``; those of validation likewise, without the last.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gradcascade.errors import InputError
from gradcascade.sources.base import UPDATE
from gradcascade.sources.checkpoint import opening_file
from gradcascade.sources.layouts.base import GRADIENTS, Layout, Step
from gradcascade.sources.naming import is_copy, step_of
from gradcascade.sources.trees.base import Part, Tree

DYNAMICS = "learning_dynamics"
PLACES = ("checkpoints", "checkpoint", "")
"""Where steps lie in the folder of a run; the first place that has some counts."""

_SUFFIXES = (".pt", ".safetensors")
_WHOLE = "-unsharded"


def step_folders(tree: Tree, run: str) -> dict[int, str]:
    """The folder of every step of a run, ascending; two for one step are refused."""
    return next(filter(None, (_named_as_steps(tree, place) for place in places_of(run))), {})


def places_of(run: str) -> list[str]:
    """Folders of a run that may hold its steps."""
    return [f"{run}/{place}".strip("/") for place in PLACES]


def copies_in(tree: Tree, folder: str) -> list[str]:
    """Names in a folder that say they hold a step again, ``last.ckpt`` or ``checkpoint-best``."""
    names = [file.name for file in tree.files(folder) if file.size and "." in file.name]
    names = [name for name in names if name.rpartition(".")[2] in ("pt", "pth", "bin", "ckpt", "safetensors")]
    return [name for name in [*tree.folders(folder), *names] if is_copy(name)]


def _named_as_steps(tree: Tree, folder: str) -> dict[int, str]:
    found: dict[int, str] = {}
    for name in tree.folders(folder):
        step = step_of(name)
        if step is None:
            continue
        if step in found and name.endswith(_WHOLE) != found[step].endswith(_WHOLE):  # OLMo keeps both
            found[step] = f"{folder}/{name}".lstrip("/") if name.endswith(_WHOLE) else found[step]
            continue
        if step in found:
            raise InputError(
                f"{Path(tree.name, folder)} has two folders for step {step}, {found[step].rpartition('/')[2]} and "
                f"{name}; keep one"
            )
        found[step] = f"{folder}/{name}".lstrip("/")
    return dict(sorted(found.items()))


def gradient_files(names: Iterable[str]) -> dict[str, str]:
    """Of the files of a step, the recorded gradients by ``"train"`` and ``"val"``."""
    names, found = set(names), {}
    for which in GRADIENTS:
        stems = [f"{DYNAMICS}/{which}_gradients", f"{which}_gradients", *(["gradients"] if which == "train" else [])]
        there = [stem + suffix for stem in stems for suffix in _SUFFIXES if stem + suffix in names]
        found |= {which: there[0]} if there else {}
    return found


def steps_in(tree: Tree, run: str) -> tuple[Step, ...]:
    """Every step folder of a run with what it holds."""
    return tuple(step_in(tree, step, folder) for step, folder in step_folders(tree, run).items())


def step_in(tree: Tree, step: int, folder: str) -> Step:
    """What the folder of a step holds."""
    if refused := Part(tree, folder).checked().refused:
        return Step(step, tree, folder, refused=refused)
    names = files_of_step(tree, folder)
    gradients = {which: Part(tree, folder, name).checked() for which, name in gradient_files(names).items()}
    opening = opening_file(names) or opening_file(files_of_step(tree, folder, within=True))
    checkpoint = Part(tree, folder, opening).checked() if opening else None
    return Step(step, tree, folder, gradients, checkpoint)


def files_of_step(tree: Tree, folder: str, *, within: bool = False) -> list[str]:
    """Files of a step as seen from its folder, with its gradients; or those one and two folders down."""
    start = f"{folder}/" if folder else ""
    found = [] if within else [*tree.files(folder), *tree.files(f"{start}{DYNAMICS}")]
    for name in tree.folders(folder) if within else ():
        if is_copy(name):
            continue
        found += tree.files(f"{start}{name}")
        for inner in tree.folders(f"{start}{name}"):
            found += tree.files(f"{start}{name}/{inner}")
    return [file.path.removeprefix(start) for file in found]


LAYOUT = Layout("step-folders", 90, rule="parameters", fields=(UPDATE,), in_folder=steps_in)
