"""Finds runs and their steps in a folder, without opening a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gradcascade.errors import InputError
from gradcascade.sources.checkpoint import checkpoint_file, inside
from gradcascade.sources.naming import family_and_scales, natural, step_of

DYNAMICS = "learning_dynamics"
GRADIENTS = ("train", "val")
_SUFFIXES = (".pt", ".safetensors")


@dataclass(frozen=True)
class StepFiles:
    """What one step of a run has on disk.

    Parameters
    ----------
    step : int
        The training step.
    gradients : dict of str to pathlib.Path
        Gradient files by ``"train"`` and ``"val"``, those that are there.
    checkpoint : pathlib.Path or None
        The file that opens the checkpoint.
    """

    step: int
    gradients: dict[str, Path]
    checkpoint: Path | None


@dataclass(frozen=True)
class Run:
    """One training run on disk.

    Parameters
    ----------
    name : str
        The name of its folder.
    folder : pathlib.Path
        The folder.
    pico : bool
        Whether it is laid out as Pico writes it: with ``learning_dynamics`` or ``training_config.yaml``.
    steps : tuple of StepFiles
        Ascending.
    """

    name: str
    folder: Path
    pico: bool
    steps: tuple[StepFiles, ...]


def find_runs(root: Path) -> list[Run]:
    """Find the runs of a family.

    Parameters
    ----------
    root : pathlib.Path
        A folder with ``runs/<run>``, a folder of runs, or one run; a run holds its steps (``step_N``,
        ``checkpoint-N``, ``stepN``, ``global_stepN``) directly or under ``checkpoints/``.

    Returns
    -------
    list of Run
        By name, numbers in their order.

    Raises
    ------
    InputError
        If there is no such folder, it holds no runs, two folders of a run stand for the same step, or symbolic
        links lead out of it.
    """
    if not root.is_dir():
        problem = "is not a folder" if root.exists() else "does not exist"
        raise InputError(f"{root} {problem}; give a folder of runs")
    runs = root / "runs"
    if runs.is_dir():
        found = [_run(child, child.name, root) for child in _folders(runs)]
    else:
        alone = _run(root, root.resolve().name, root)  # a relative name such as "." is none
        found = [alone] if alone.steps else [_run(child, child.name, root) for child in _folders(root)]
    found = [run for run in found if run.steps]
    if not found:
        raise InputError(
            f"{root} holds no runs: neither runs/<run>/checkpoints/step_N nor folders step_N or checkpoint-N with "
            "gradients or checkpoints; give the folder of a run or of a family"
        )
    return sorted(found, key=lambda run: natural(run.name))


def family_runs(
    root: Path, family: str | None = None, scales: Mapping[str, str] | None = None
) -> tuple[str, dict[str, Run]]:
    """Find the runs of a family, with the name of the family and of each run's scale.

    Parameters
    ----------
    root : pathlib.Path
        As `find_runs` takes it.
    family : str, optional
        The family's name; by default what the names of the runs have in common, else the folder's name.
    scales : mapping of str to str, optional
        The run of each scale, a folder as seen from `root`; by default all runs there are, named by their folders.

    Returns
    -------
    tuple of str and dict
        The family's name, and its runs by scale.

    Raises
    ------
    InputError
        As `find_runs`, or if a folder that is named is not there, holds no steps, or is named twice.
    """
    home = root.resolve()
    name = home.parent.name if home.name in ("runs", "checkpoints") else home.name
    if scales is None:
        runs = find_runs(root)
        found, names = family_and_scales([run.name for run in runs], name, family)
        return found, dict(zip(names, runs, strict=True))
    chosen = {scale: _named_run(root, scale, path) for scale, path in scales.items()}
    places = {run.folder.resolve(): scale for scale, run in chosen.items()}
    for scale, run in chosen.items():
        if places[run.folder.resolve()] != scale:
            raise InputError(
                f"{run.folder} is named as two scales, {scale} and {places[run.folder.resolve()]}; name it once"
            )
    return family or name, chosen


def _named_run(root: Path, scale: str, path: str) -> Run:
    folder = root / path
    if not folder.is_dir():
        raise InputError(f"{folder}, the run of scale {scale}, is not a folder; correct the plan")
    run = _run(inside(root, folder), folder.resolve().name, root)
    if not run.steps:
        raise InputError(
            f"{folder}, the run of scale {scale}, holds no steps: no folders step_N or checkpoint-N with gradients "
            "or checkpoints; name the folder of a run"
        )
    return run


def gradient_files(folder: Path) -> dict[str, Path]:
    """Find the recorded gradients of a step.

    Parameters
    ----------
    folder : pathlib.Path
        The step's folder.

    Returns
    -------
    dict of str to pathlib.Path
        By ``"train"`` and ``"val"``, those that are there: ``learning_dynamics/train_gradients``, else
        ``train_gradients``, else ``gradients`` (of training), each as ``.pt``, else as ``.safetensors``.
    """
    found = {}
    for which in GRADIENTS:
        stems = [f"{DYNAMICS}/{which}_gradients", f"{which}_gradients", *(["gradients"] if which == "train" else [])]
        paths = (folder / (stem + suffix) for stem in stems for suffix in _SUFFIXES)
        there = next((path for path in paths if path.exists() or path.is_symlink()), None)
        if there is not None:
            found[which] = there
    return found


def _run(folder: Path, name: str, root: Path) -> Run:
    """The run in a folder, without steps if there are none; `root` bounds where its links may lead."""
    folders = step_folders(folder / "checkpoints", root) or step_folders(folder, root)
    pico = any((path / DYNAMICS).is_dir() for path in folders.values()) or (folder / "training_config.yaml").exists()
    steps = (_step_files(step, folders[step], root) for step in sorted(folders))
    return Run(name, folder, pico, tuple(step for step in steps if step.gradients or step.checkpoint))


def _step_files(step: int, folder: Path, root: Path) -> StepFiles:
    present = {which: inside(root, path) for which, path in gradient_files(folder).items()}
    checkpoint = checkpoint_file(folder)
    return StepFiles(step, present, inside(root, checkpoint) if checkpoint else None)


def step_folders(folder: Path, root: Path) -> dict[int, Path]:
    """Find the folder of every step.

    Parameters
    ----------
    folder : pathlib.Path
        A run, or its ``checkpoints``; it need not exist.
    root : pathlib.Path
        The folder the user named; links may not lead out of it.

    Returns
    -------
    dict of int to pathlib.Path
        By step, in no particular order; none if there is no such folder.

    Raises
    ------
    InputError
        If two folders stand for the same step, links lead out of `root`, or a folder cannot be listed.
    """
    found: dict[int, Path] = {}
    for child in _folders(folder) if folder.is_dir() else ():
        step = step_of(child.name)
        if step is None:
            continue
        if step in found:
            raise InputError(
                f"{folder} has two folders for step {step}, {found[step].name} and {child.name}; keep one"
            )
        found[step] = inside(root, child)
    return found


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder} cannot be listed ({error.strerror}); check its permissions") from None
