"""Folders of runs: Pico's layout, and a folder per step as other trainers write it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from gradcascade.errors import InputError
from gradcascade.sources.base import FIELDS, GRADIENT, UPDATE, SnapshotRef
from gradcascade.sources.checkpoint import files_of
from gradcascade.sources.evaluations import metrics_table, read_evaluations
from gradcascade.sources.layout import GRADIENTS, Run, family_runs
from gradcascade.sources.naming import ORDERS
from gradcascade.sources.readers import Choice, GradientReader, UpdateReader, revision_of

if TYPE_CHECKING:
    import polars as pl

LABELS = ("later", "earlier")


@dataclass(frozen=True)
class FolderSource:
    """The runs of one family on disk; made by `discover`.

    Parameters
    ----------
    family : str
        The family's name.
    root : pathlib.Path
        The folder that was named.
    runs : tuple of Run
        What it holds.
    scales : tuple of str
        Each run's scale.
    fields : tuple of str
        The kinds of field asked for.
    which, order, label : str
        See `discover`.
    select : tuple of str
        See `discover`.
    """

    family: str
    root: Path
    runs: tuple[Run, ...]
    scales: tuple[str, ...]
    fields: tuple[str, ...]
    which: str
    order: str
    label: str
    select: tuple[str, ...]

    def snapshots(self) -> list[SnapshotRef]:
        """Every field there is, by scale and kind of field, steps ascending; only indexes of shards are opened.

        Returns
        -------
        list of SnapshotRef

        Raises
        ------
        InputError
            If no run has a field of the kinds asked for.
        """
        found = [
            snapshot
            for run, scale in zip(self.runs, self.scales, strict=True)
            for field in self.fields
            for snapshot in (self._gradients(run, scale) if field == GRADIENT else self._updates(run, scale))
        ]
        if not found:
            wanted = " or ".join(self.fields)
            raise InputError(
                f"{self.root} holds no {wanted} field: gradients are learning_dynamics/{self.which}_gradients.pt "
                f"or {self.which}_gradients.safetensors of a step, and an update takes two checkpoints of a run"
            )
        return found

    def metrics(self) -> pl.DataFrame:
        """Evaluation results of every run.

        Returns
        -------
        polars.DataFrame
            Columns family, scale, step, metric, value; value is null where it was not finite.

        Raises
        ------
        InputError
            If a file of results is broken.
        """
        return metrics_table(
            self.family,
            (
                (scale, *row)
                for run, scale in zip(self.runs, self.scales, strict=True)
                for row in read_evaluations(run.folder, self.root)
            ),
        )

    def folders(self) -> dict[str, Path]:
        """The folder of each scale's run."""
        return {scale: run.folder for run, scale in zip(self.runs, self.scales, strict=True)}

    def complaints(self) -> list[str]:
        """Nothing: what is wrong with a folder is raised."""
        return []

    def close(self) -> None:
        """Nothing is held."""

    def _gradients(self, run: Run, scale: str) -> Iterator[SnapshotRef]:
        files = [(step.step, step.gradients[self.which]) for step in run.steps if self.which in step.gradients]
        references = tuple(file for _, file in files)
        for step, file in files:
            reader = GradientReader(file, references, self._choice(run))
            yield self._snapshot(scale, step, GRADIENT, (file,), reader)

    def _updates(self, run: Run, scale: str) -> Iterator[SnapshotRef]:
        files = [(step.step, step.checkpoint) for step in run.steps if step.checkpoint]
        choice = self._choice(run)
        recorded = tuple(path for step in run.steps for path in step.gradients.values())
        for (before, earlier), (after, later) in pairwise(files):
            # Another format lists the tensors in another order: that of the first checkpoint is that of all.
            first = tuple(path for _, path in files if path.name == files[0][1].name)
            order_from = recorded if choice.by_short_name else first if later.name != first[0].name else ()
            reader = UpdateReader(
                earlier, later, order_from, choice, recorded=() if choice.by_short_name else recorded
            )
            label = after if self.label == "later" else before
            yield self._snapshot(scale, label, UPDATE, (later, earlier), reader, after - before)

    def _choice(self, run: Run) -> Choice:
        return Choice(run.pico, self.select, self.order)

    def _snapshot(
        self,
        scale: str,
        step: int,
        field: str,
        files: tuple[Path, ...],
        reader: GradientReader | UpdateReader,
        span: int | None = None,
    ) -> SnapshotRef:
        source = " minus ".join(file.relative_to(self.root).as_posix() for file in files)
        files = tuple(part for file in files for part in files_of(file))
        revision = revision_of(files, reader)
        return SnapshotRef(self.family, scale, step, field, files, source, revision, reader, span=span)


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
        A folder with ``runs/<run>``, a folder of runs, or one run. A run holds a folder per step (``step_N``,
        ``checkpoint-N``, ``stepN``, ``global_stepN``), directly or under ``checkpoints/``; a step holds gradients
        (:func:`gradcascade.sources.layout.gradient_files`), or a checkpoint (``model.safetensors``,
        ``pytorch_model.bin``, or the index of their shards), or both.
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
    _check("field", fields, FIELDS)
    _check("kind of gradient", (which,), GRADIENTS)
    _check("tensor order", (order,), ORDERS)
    _check("label", (label,), LABELS)
    root = Path(folder)
    found, runs = family_runs(root, family, scales)
    return FolderSource(
        found, root, tuple(runs.values()), tuple(runs), tuple(fields), which, order, label, tuple(select)
    )


def _check(what: str, values: Sequence[str], known: Sequence[str]) -> None:
    for value in values:
        if value not in known:
            raise InputError(f"there is no {what} {value!r}; choose from {', '.join(known)}")
