"""Folders of runs on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gradcascade.errors import InputError
from gradcascade.sources.base import FIELDS, SnapshotRef
from gradcascade.sources.evaluations import metrics_table, read_evaluations
from gradcascade.sources.layouts import LAYOUTS
from gradcascade.sources.layouts.base import Run
from gradcascade.sources.naming import family_and_scales, natural
from gradcascade.sources.snapshots import Reading
from gradcascade.sources.trees.local import LocalTree

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class FolderSource:
    """The runs of one family on disk, with each one's scale; made by `discover`."""

    root: Path
    runs: tuple[Run, ...]
    scales: tuple[str, ...]
    reading: Reading

    @property
    def family(self) -> str:
        """The family's name."""
        return self.reading.family

    def snapshots(self) -> list[SnapshotRef]:
        """Every field there is, by scale and kind of field, steps ascending; only indexes of shards are opened."""
        found = [
            snapshot
            for run, scale in zip(self.runs, self.scales, strict=True)
            for snapshot in self.reading.snapshots(run, scale)
        ]
        if not found:
            wanted, which = " or ".join(self.reading.fields), self.reading.which
            raise InputError(
                f"{self.root} holds no {wanted} field: gradients are learning_dynamics/{which}_gradients.pt or "
                f"{which}_gradients.safetensors of a step, and an update takes two checkpoints of a run"
            )
        return found

    def metrics(self) -> pl.DataFrame:
        """Evaluation results of every run: family, scale, step, metric, value (null where it was not finite)."""
        return metrics_table(
            self.family,
            (
                (scale, *row)
                for scale, folder in self.folders().items()
                for row in read_evaluations(folder, self.root)
            ),
        )

    def folders(self) -> dict[str, Path]:
        """The folder of each scale's run."""
        pairs = zip(self.runs, self.scales, strict=True)
        return {scale: run.tree.small_folder(run.folder) for run, scale in pairs}

    def complaints(self) -> list[str]:
        """Nothing: what is wrong with a folder is raised."""
        return []

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
) -> FolderSource:
    """Find the runs in a folder, their steps and their fields.

    Parameters
    ----------
    folder : pathlib.Path or str
        A folder with ``runs/<run>``, a folder of runs, or one run, laid out as one of
        :data:`gradcascade.sources.layouts.LAYOUTS`.
    family : str, optional
        The family's name; by default what the names of the runs have in common, else the folder's name.
    fields : sequence of str
        The kinds of field wanted: ``"gradient"``, ``"update"``.
    which : str
        ``"train"`` or ``"val"`` gradients.
    order : str
        Order of the tensors: ``"file"``, ``"sorted"`` by name, or ``"grouped"`` by type. Updates have the order
        of the run's gradients, where it has any.
    label : str
        The step that labels an update: the ``"later"`` or the ``"earlier"`` of the two.
    select : sequence of str
        Shell patterns on tensor names as the files have them. By default, Pico's 36 tensors in Pico's layout, and
        all trainable parameters elsewhere.
    scales : mapping of str to str, optional
        The run of each scale, a folder as seen from `folder`; by default every run, named as its folder is.

    Returns
    -------
    FolderSource
        A source; nothing but folder listings has been read.

    Raises
    ------
    InputError
        If the folder holds no runs, links lead out of it, or an option is unknown.
    """
    reading = Reading(family or "", tuple(fields), which, order, label, tuple(select))  # checks them first
    root = Path(folder)
    found, runs = family_runs(root, family, scales)
    reading = Reading(found, reading.fields, which, order, label, reading.select)
    return FolderSource(root, tuple(runs.values()), tuple(runs), reading)


def find_runs(root: Path) -> list[Run]:
    """The runs in ``runs/``, in the folder itself, or in the folders it holds; by name, numbers in their order."""
    if not root.is_dir():
        problem = "is not a folder" if root.exists() else "does not exist"
        raise InputError(f"{root} {problem}; give a folder of runs")
    tree = LocalTree(root)
    if "runs" in tree.folders():
        found = [_run(tree, f"runs/{name}", name) for name in tree.folders("runs")]
    else:
        alone = _run(tree, "", root.resolve().name)  # a relative name such as "." says nothing
        found = [alone] if alone else [_run(tree, name, name) for name in tree.folders()]
    runs = [run for run in found if run]
    if not runs:
        raise InputError(
            f"{root} holds no runs: neither runs/<run>/checkpoints/step_N nor folders step_N or checkpoint-N with "
            "gradients or checkpoints; give the folder of a run or of a family"
        )
    return sorted(runs, key=lambda run: natural(run.name))


def family_runs(
    root: Path, family: str | None = None, scales: Mapping[str, str] | None = None
) -> tuple[str, dict[str, Run]]:
    """The family's name, and its runs by scale; see `discover`."""
    home = root.resolve()
    name = home.parent.name if home.name in ("runs", "checkpoints") else home.name
    if scales is None:
        runs = find_runs(root)
        found, names = family_and_scales([run.name for run in runs], name, family)
        return found, dict(zip(names, runs, strict=True))
    chosen = {scale: _named_run(root, scale, path) for scale, path in scales.items()}
    places = {_folder(run).resolve(): scale for scale, run in chosen.items()}
    for scale, run in chosen.items():
        other = places[_folder(run).resolve()]
        if other != scale:
            raise InputError(f"{_folder(run)} is named as two scales, {scale} and {other}; name it once")
    return family or name, chosen


def _folder(run: Run) -> Path:
    return Path(run.tree.name, run.folder)


def _named_run(root: Path, scale: str, path: str) -> Run:
    folder = root / path
    if not folder.is_dir():
        raise InputError(f"{folder}, the run of scale {scale}, is not a folder; correct the plan")
    tree = LocalTree(root)
    tree.check(path)
    run = _run(tree, path, folder.resolve().name)
    if run is None:
        raise InputError(
            f"{folder}, the run of scale {scale}, holds no steps: no folders step_N or checkpoint-N with gradients "
            "or checkpoints; name the folder of a run"
        )
    return run


def _run(tree: LocalTree, folder: str, name: str) -> Run | None:
    """The run in a folder, of the first layout that it has; None if it has none."""
    for layout in LAYOUTS.values():
        steps = layout.in_folder(tree, folder) if layout.in_folder else ()
        if any(step.gradients or step.checkpoint for step in steps):
            return Run(name, layout, tree, folder, steps)
    return None
