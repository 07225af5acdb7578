"""Folders of runs on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gradcascade.errors import InputError
from gradcascade.evaluations import Problem
from gradcascade.fields.kinds import Optimizer
from gradcascade.sources.base import FIELDS, RunName, SnapshotRef
from gradcascade.sources.checkpoints import CHECKPOINTS
from gradcascade.sources.evaluations import metrics_table, read_evaluations
from gradcascade.sources.layouts import LAYOUTS
from gradcascade.sources.layouts.base import Run, Step
from gradcascade.sources.layouts.step_folders import copies_in, step_folders
from gradcascade.sources.naming import family_and_scales, name_of_run, step_of_file
from gradcascade.sources.run_labels import labelled
from gradcascade.sources.snapshots import Reading
from gradcascade.sources.trees.local import LocalTree
from gradcascade.tensor_names import natural

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class FolderSource:
    """The runs of one family on disk; made by `discover`."""

    root: Path
    runs: Mapping[RunName, Run]
    reading: Reading
    _complaints: list[Problem] = field(default_factory=list, repr=False, compare=False)

    @property
    def family(self) -> str:
        """The family's name."""
        return self.reading.family

    @property
    def scales(self) -> tuple[str, ...]:
        """Names of the scales."""
        return tuple(dict.fromkeys(name.scale for name in self.runs))

    def snapshots(self) -> list[SnapshotRef]:
        """Every field there is, by scale, run and kind, steps ascending; only indexes of shards are opened."""
        found = [snapshot for name, run in self.runs.items() for snapshot in self.reading.snapshots(run, *name)]
        if not found:
            wanted, which = " or ".join(self.reading.fields), self.reading.which
            raise InputError(
                f"{self.root} holds no {wanted} field: gradients are learning_dynamics/{which}_gradients.pt or "
                f"{which}_gradients.safetensors of a step, an update takes two checkpoints of a run, and other kinds "
                "take a checkpoint with the optimizer's state"
            )
        return found

    def metrics(self) -> pl.DataFrame:
        """Evaluation results: family, scale, run, step, metric, value (null where it was not finite).

        A file that cannot be read is left out, and named by `complaints`.
        """
        self._complaints.clear()
        rows = [
            (name.scale, name.run, *row)
            for name, run in self.runs.items()
            for row in read_evaluations(run.tree.small_folder(run.folder), self.root, self._complaints.append)
        ]
        return metrics_table(self.family, rows)

    def folders(self) -> dict[str, Path]:
        """The folder of each run, by its name for messages."""
        return {str(name): run.tree.small_folder(run.folder) for name, run in self.runs.items()}

    def complaints(self) -> list[Problem]:
        """Small files that could not be taken; anything else that is wrong with a folder is raised."""
        return list(self._complaints)

    def close(self) -> None:
        """Nothing is held."""


def discover(
    folder: Path | str,
    family: str | None = None,
    *,
    fields: Sequence[str] = FIELDS,
    which: str = "train",
    order: str = "file",
    label: str = "later",
    select: Sequence[str] = (),
    scales: Mapping[str, str] | None = None,
    runs: Mapping[str, Mapping[str, str]] | None = None,
    links: bool = False,
    optimizer: Optimizer | None = None,
) -> FolderSource:
    """Find the runs of a family; only listings are read, and headers where runs may be of one scale.

    `folder` has ``runs/<run>``, is a folder of runs, or is one run, laid out as one of the
    :data:`gradcascade.sources.layouts.LAYOUTS`. `family` is by default what the names of the runs have in common,
    else the folder's name. `select` are shell patterns on tensor names as the files have them; the other
    options are those of :class:`gradcascade.sources.snapshots.Reading`.

    `scales` names the run of each scale, a folder as seen from `folder`, and `runs` several by their labels,
    ``{"d96": {"1": "first", "2": "second"}}``. By default every run is a scale named as its folder is, but runs whose
    names differ in a seed-like part alone (``d96-seed1``, ``d96-seed2``) and whose fields have the same size are runs
    of one scale.

    Symbolic links that lead out of the folder are followed if `links`, and refused otherwise. `optimizer` has Adam's
    settings, for directions from files that do not have them.
    """
    reading = Reading(family or "", tuple(fields), which, order, label, tuple(select), optimizer)  # checks them first
    root = Path(folder)
    found, named = named_runs(root, family, scales, runs, reading, links=links)
    return FolderSource(root, named, replace(reading, family=found))


def find_runs(root: Path, *, links: bool = False) -> list[Run]:
    """The runs in ``runs/``, in the folder itself, or in the folders it holds; by name, numbers in their order."""
    if not root.is_dir():
        problem = "is not a folder" if root.exists() else "does not exist"
        raise InputError(f"{root} {problem}; give a folder of runs")
    tree = LocalTree(root, links)
    if "runs" in tree.folders():
        found = [_run(tree, f"runs/{name}", name_of_run(name)) for name in tree.folders("runs")]
    else:
        alone = _run(tree, "", name_of_run(root.resolve().name))  # a relative name such as "." says nothing
        found = [alone] if alone else [_run(tree, name, name_of_run(name)) for name in tree.folders()]
    runs = [run for run in found if run]
    if not runs:
        raise InputError(f"{root} holds no runs: {_why_none(tree)}")
    return sorted(runs, key=lambda run: natural(run.name))


def named_runs(
    root: Path,
    family: str | None = None,
    scales: Mapping[str, str] | None = None,
    runs: Mapping[str, Mapping[str, str]] | None = None,
    reading: Reading | None = None,
    *,
    links: bool = False,
) -> tuple[str, dict[RunName, Run]]:
    """The family's name, and its runs by scale and label; see `discover`."""
    home = root.resolve()
    name = home.parent.name if home.name in ("runs", "checkpoints") else name_of_run(home.name)
    sizes = (reading or Reading("")).entries
    if scales is None and runs is None:
        found = find_runs(root, links=links)
        by_name = {run.name: run for run in found}
        labels = labelled(list(by_name), lambda names: _differing([by_name[name] for name in names], sizes) is None)
        bases = list(dict.fromkeys(base for base, _ in labels))
        family, short = family_and_scales(bases, name, family)
        scale = dict(zip(bases, short, strict=True))
        named = {RunName(scale[base], label): run for (base, label), run in zip(labels, found, strict=True)}
        order = {scale: place for place, scale in enumerate(short)}
        return family, dict(sorted(named.items(), key=lambda item: order[item[0].scale]))
    paths = {RunName(scale): path for scale, path in (scales or {}).items()}
    paths |= {RunName(scale, label): path for scale, own in (runs or {}).items() for label, path in own.items()}
    chosen = {run: _named_run(root, run, path, links) for run, path in paths.items()}
    _refuse_repeated(chosen)
    for scale, own in (runs or {}).items():
        members = [chosen[RunName(scale, label)] for label in own]
        if differing := _differing(members, sizes):
            raise InputError(f"{differing}, and they are named as runs of one scale, {scale}; name two scales")
    return family or name, chosen


def _refuse_repeated(chosen: Mapping[RunName, Run]) -> None:
    places = {_folder(run).resolve(): name for name, run in chosen.items()}
    for name, run in chosen.items():
        other = places[_folder(run).resolve()]
        if other != name:
            what = "scales" if name.scale != other.scale else "runs"
            raise InputError(f"{_folder(run)} is named as two {what}, {name} and {other}; name it once")


def _differing(runs: Sequence[Run], sizes: Callable[[Run], dict[str, int]]) -> str | None:
    """Says in which N two of the runs differ; None if none do. What cannot be read does not differ."""
    known: dict[str, tuple[int, Run]] = {}
    for run in runs if len(runs) > 1 else ():
        for kind, n in sizes(run).items():
            before, other = known.setdefault(kind, (n, run))
            if n != before:
                return f"the {kind} of {_folder(other)} has {before:,} entries and that of {_folder(run)} {n:,}"
    return None


def _why_none(tree: LocalTree) -> str:
    """Which steps there are without files that are read, or that there are no steps; and which files are read."""
    home = Path(tree.name).resolve()
    if snapshots := next((path for path in (home, *home.parents) if path.name == "snapshots"), None):
        return (
            "it is part of the cache of huggingface_hub, whose steps are told by the branches in "
            f"{snapshots.parent / 'refs'}; give {snapshots.parent}, or {snapshots.parents[1]} for all models in it"
        )
    inner = f"{'runs/' if 'runs' in tree.folders() else ''}"
    for folder in ("", *(inner + name for name in tree.folders(inner.rstrip("/")))):
        if steps := step_folders(tree, folder):
            first = next(iter(steps.values()))
            return f"{first} and the like hold no file that is read for a step. {_read_for_a_step()}"
    return (
        "neither runs/<run>/checkpoints/step_N nor folders step_N, checkpoint-N, stepN-unsharded or iter_N, nor "
        f"files ckpt_N.pt or epoch=E-step=N.ckpt. {_read_for_a_step()}; give the folder of a run or of a family"
    )


def _read_for_a_step() -> str:
    names = [name for kind in CHECKPOINTS.values() if kind.readable for name in kind.opening]
    plain = [name for name in names if not any(mark in name for mark in "*/") and not name.endswith(".index.json")]
    return (
        f"Files that are read there: {', '.join(plain)}, the index of shards (*.index.json), and train_gradients or "
        "gradients as .pt or .safetensors (also in learning_dynamics/)"
    )


def _folder(run: Run) -> Path:
    return Path(run.tree.name, run.folder)


def _named_run(root: Path, name: RunName, path: str, links: bool) -> Run:
    folder = root / path
    if not folder.is_dir():
        raise InputError(f"{folder}, the run of scale {name}, is not a folder; correct the plan")
    tree = LocalTree(root, links)
    tree.check(path)
    run = _run(tree, path, folder.resolve().name)
    if run is None:
        raise InputError(
            f"{folder}, the run of scale {name}, holds no steps: no folders step_N or checkpoint-N with gradients "
            f"or checkpoints, and no files ckpt_N.pt. {_read_for_a_step()}; name the folder of a run"
        )
    return run


def _run(tree: LocalTree, folder: str, name: str) -> Run | None:
    """The run in a folder, of the first layout that it has; None if it has none."""
    for layout in LAYOUTS.values():
        steps = layout.in_folder(tree, folder) if layout.in_folder else ()
        if any(step.gradients or step.checkpoint or step.refused for step in steps):
            return Run(name, layout, tree, folder, steps, copies=_copies(tree, steps))
    return None


def _copies(tree: LocalTree, steps: Sequence[Step]) -> tuple[str, ...]:
    """Beside the steps, what holds one of them again by its name."""
    single = {step.folder for step in steps if step.checkpoint and step_of_file(step.checkpoint.file) is not None}
    places = {folder if folder in single else folder.rpartition("/")[0] for folder in {step.folder for step in steps}}
    return tuple(f"{place}/{name}".lstrip("/") for place in sorted(places) for name in copies_in(tree, place))
