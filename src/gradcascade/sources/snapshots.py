"""The fields of a run: what each kind is made from, step by step."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from gradcascade import families
from gradcascade.errors import InputError
from gradcascade.fields.kinds import FIELD_KINDS, FieldKind, Optimizer
from gradcascade.sources.base import ALONE, FIELDS, SnapshotRef
from gradcascade.sources.checkpoint import files_of, state_files
from gradcascade.sources.choice import Choice
from gradcascade.sources.field_readers import (
    FROM_CHECKPOINTS,
    FROM_GRADIENT,
    FROM_GRADIENTS,
    Absent,
    GradientReader,
    MeanReader,
    UpdateReader,
)
from gradcascade.sources.layouts.base import GRADIENTS, Run
from gradcascade.sources.manifest import read_manifest
from gradcascade.sources.recorded_tensors import RecordedTensors
from gradcascade.sources.run_tensors import CheckpointsOnDisk, GradientsOnDisk, RunTensors
from gradcascade.sources.state_reader import StateReader, from_state
from gradcascade.sources.trees.base import Part, Tree
from gradcascade.tensor_names import ORDERS

LABELS = ("later", "earlier")

Reader = GradientReader | MeanReader | UpdateReader | StateReader


def readable_kinds() -> list[str]:
    """Kinds of field that can be made from what runs have: gradients, checkpoints, and optimizers' states."""
    ways = {FROM_GRADIENT, FROM_GRADIENTS, FROM_CHECKPOINTS}
    return [name for name, kind in FIELD_KINDS.items() if ways & set(kind.groups) or from_state(kind)]


def from_gradients(field: str) -> bool:
    """Whether a kind of field is made from recorded gradients, and not from checkpoints."""
    return bool({FROM_GRADIENT, FROM_GRADIENTS} & set(FIELD_KINDS[field].groups))


def known_place(repository: str, folder: str) -> str:
    """A repository as families know it: with the folder where several models lie in one, else without."""
    place = f"{repository}:{folder}"
    return place if folder and families.expected_entries(place) is not None else repository


@dataclass(frozen=True)
class Reading:
    """How the runs of a family are read."""

    family: str
    fields: tuple[str, ...] = FIELDS
    which: str = "train"
    """``"train"`` or ``"val"`` gradients."""
    order: str = "file"
    """Order of the tensors; one of :data:`gradcascade.tensor_names.ORDERS`."""
    label: str = "later"
    """The step that labels an update."""
    select: tuple[str, ...] = ()
    """Shell patterns on tensor names; by default the layout's rule decides."""
    optimizer: Optimizer | None = None
    """Adam's settings, where the files of the optimizer do not have them."""
    kept: tuple[tuple[str, Path], ...] = ()
    """On the hub, what each run of the family is called, and the folder of its small files."""

    def __post_init__(self) -> None:
        for what, values, known in (
            ("field", self.fields, readable_kinds()),
            ("kind of gradient", (self.which,), GRADIENTS),
            ("tensor order", (self.order,), ORDERS),
            ("label", (self.label,), LABELS),
        ):
            for value in values:
                if value not in known:
                    raise InputError(f"there is no {what} {value!r}; choose from {', '.join(known)}")

    def snapshots(
        self, run: Run, scale: str, label: str = ALONE, asked: Collection[int] | None = None
    ) -> list[SnapshotRef]:
        """Every field of a run by kind, steps ascending; one that is asked for and not there is refused on loading.

        Steps are those of the gradients, or of the checkpoints that are subtracted, each from the next.
        """
        found: list[SnapshotRef] = []
        for kind in (FIELD_KINDS[field] for field in self.fields):
            if from_state(kind):
                make = self._of_states
            elif FROM_GRADIENTS in kind.groups:
                make = self._of_draws
            else:
                make = self._of_gradients if FROM_GRADIENT in kind.groups else self._of_checkpoints
            found += make(run, scale, asked, kind)
        return [replace(snapshot, run=label) for snapshot in found]

    def entries(self, run: Run) -> dict[str, int]:
        """N by kind of field, from the headers of the first files that can be read; without kinds that have none."""
        found: dict[str, int] = {}
        for snapshot in self.snapshots(run, ""):
            with suppress(InputError):  # its own snapshot is refused for that
                description = None if snapshot.field in found else snapshot.describe()
                found |= {snapshot.field: description.entries} if description else {}
        return found

    def _of_gradients(
        self, run: Run, scale: str, asked: Collection[int] | None, kind: FieldKind
    ) -> Iterator[SnapshotRef]:
        parts, draws = run.parts(self.which), run.draws(self.which)
        choice = self._choice(run, gradients=True)
        refused = run.refused(self.which)
        for step in sorted({*parts, *refused} if asked is None else asked):
            if part := parts.get(step):
                tensors = self._tensors_of(run, part, choice, kind)
                for draw, own in draws.get(step, {None: part}).items():
                    reader = GradientReader(own, tensors, choice, kind)
                    yield replace(self._snapshot(scale, step, kind.name, reader), draw=draw)
            else:
                reason = f"{run.name} has no {self.which} gradient of step {step}; leave the step out"
                yield self._absent(run, scale, step, kind, refused.get(step, reason))

    def _of_draws(
        self, run: Run, scale: str, asked: Collection[int] | None, kind: FieldKind
    ) -> Iterator[SnapshotRef]:
        draws = run.draws(self.which)
        if not draws:
            raise InputError(
                f"{run.name} has no step with the gradients of several batches, of which {kind.plural} are made; "
                f"leave {kind.name} out of the fields"
            )
        choice = self._choice(run, gradients=True)
        for step in sorted(run.parts(self.which) if asked is None else asked):
            own = tuple(draws.get(step, {}).values())
            if len(own) > 1:
                tensors = self._tensors_of(run, own[0], choice, kind)
                yield self._snapshot(scale, step, kind.name, MeanReader(own, tensors, choice, kind))
            else:
                reason = f"{run.name} has {len(own) or 'no'} gradient of step {step}, and {kind.plural} take several"
                yield self._absent(run, scale, step, kind, reason)

    def _tensors_of(self, run: Run, part: Part, choice: Choice, kind: FieldKind) -> RunTensors:
        if not run.tree.local:
            return self._recorded(part, run, kind.name)
        return GradientsOnDisk(tuple(other.local_path for other in run.parts(self.which).values()), choice)

    def _absent(self, run: Run, scale: str, step: int, kind: FieldKind, reason: str) -> SnapshotRef:
        source = f"{run.tree.name}: step {step}"
        return SnapshotRef(self.family, scale, step, kind.name, (), source, "nothing", Absent(reason))

    def _of_checkpoints(
        self, run: Run, scale: str, asked: Collection[int] | None, kind: FieldKind
    ) -> Iterator[SnapshotRef]:
        parts, refused = run.parts(None), run.refused(None)
        choice = self._choice(run)
        for earlier, later in pairwise(sorted({*parts, *refused} if asked is None else asked)):
            step = later if self.label == "later" else earlier
            ends = [parts.get(later), parts.get(earlier)]
            if ends[0] and ends[1]:
                tensors = (
                    self._on_disk(run, ends[0], choice) if run.tree.local else self._recorded(ends[0], run, kind.name)
                )
                reader = UpdateReader(ends[1], ends[0], tensors, choice, kind)
                yield self._snapshot(scale, step, kind.name, reader, later - earlier)
                continue
            missing = earlier if not ends[1] else later
            reason = (
                f"{run.name} has no {run.layout.step_name.format(missing)}, and a difference over the gap would not "
                "be one of adjacent checkpoints"
            )
            names = [end.source if end else f"step{at}" for end, at in zip(ends, (later, earlier), strict=True)]
            revision = " minus ".join(end.tree.revision if end else "nothing" for end in ends)
            source = f"{run.tree.name}: {' minus '.join(names)}"
            absent = Absent(refused.get(earlier) or refused.get(later) or reason)
            span = later - earlier
            yield SnapshotRef(self.family, scale, step, kind.name, (), source, revision, absent, span=span)

    def _of_states(
        self, run: Run, scale: str, asked: Collection[int] | None, kind: FieldKind
    ) -> Iterator[SnapshotRef]:
        """From every checkpoint, what its optimizer keeps."""
        parts, refused = run.parts(None), run.refused(None)
        choice = self._choice(run)
        for step in sorted({*parts, *refused} if asked is None else asked):
            if part := parts.get(step):
                tensors = self._on_disk(run, part, choice) if run.tree.local else self._recorded(part, run, kind.name)
                yield self._snapshot(scale, step, kind.name, StateReader(part, tensors, choice, kind, self.optimizer))
            else:
                reason = f"{run.name} has no {run.layout.step_name.format(step)}; leave the step out"
                yield self._absent(run, scale, step, kind, refused.get(step, reason))

    def _choice(self, run: Run, *, gradients: bool = False) -> Choice:
        if not run.tree.local:
            return Choice(run.layout.rule, self.select, "file", gradients)
        manifest = read_manifest(run.tree.small_folder(run.folder))
        like = () if gradients else tuple(part.local_path for part in run.parts(self.which).values())
        names = manifest.field if manifest else None
        return Choice(run.layout.rule, self.select, self.order, gradients, names, like)

    def _on_disk(self, run: Run, later: Part, choice: Choice) -> CheckpointsOnDisk:
        checkpoints = [part.local_path for part in run.parts(None).values()]
        recorded = [part for step in run.steps for part in step.gradients.values()]
        gradients = tuple(part.local_path for part in recorded if not part.refused)
        if choice.by_short_name:
            return CheckpointsOnDisk(gradients, choice)
        # Another format lists the tensors in another order: that of the first checkpoint is that of all.
        first = tuple(path for path in checkpoints if path.name == checkpoints[0].name)
        same = later.local_path.name == first[0].name
        return CheckpointsOnDisk(() if same else first, choice, gradients, first if same else ())

    def _recorded(self, part: Part, run: Run, field: str) -> RecordedTensors:
        kind = "" if field == run.layout.fields[0] else f"-{field}"
        chosen = f"-{hashlib.blake2b(repr(self.select).encode(), digest_size=4).hexdigest()}" if self.select else ""
        place = known_place(part.tree.name, run.folder)
        published = self.select == families.chosen_tensors(place)
        path = part.tree.small_folder("") / f"tensors{kind}{chosen}.json"
        beside = tuple((name, kept / path.name) for name, kept in self.kept if kept != path.parent)
        return RecordedTensors(path, place, self.order, published, beside)

    def _snapshot(self, scale: str, step: int, field: str, reader: Reader, span: int | None = None) -> SnapshotRef:
        parts = reader.parts
        minus = isinstance(reader, UpdateReader)
        source = (" minus " if minus else " and ").join(part.source for part in parts)
        if not parts[0].tree.local:
            revision = " minus ".join(part.tree.revision for part in (parts if minus else parts[:1]))
            source = f"{parts[0].tree.name}: {source}"
            return SnapshotRef(self.family, scale, step, field, (), source, revision, reader, span=span)
        files_in = state_files if isinstance(reader, StateReader) else files_of
        files = tuple(file for part in parts for file in files_in(part.local_path))
        if refused := _led_out(parts[0].tree, files):
            return SnapshotRef(self.family, scale, step, field, (), source, "nothing", Absent(refused), span=span)
        mark = _mark(files, reader)
        return SnapshotRef(self.family, scale, step, field, files, source, mark, reader, span=span)


def _led_out(tree: Tree, files: Sequence[Path]) -> str:
    """Why the first of some files that links lead out of a tree may not be read; empty if there is none."""
    places = (file.relative_to(tree.name).as_posix() for file in files if file.is_symlink())
    return next(filter(None, (Part(tree, place).checked().refused for place in places)), "")


def _mark(files: tuple[Path, ...], reader: Reader) -> str:
    """``local-`` and twelve hexadecimal digits from sizes, times of change and the choice; contents are not read."""
    others = reader.run.marks if isinstance(reader.run, GradientsOnDisk | CheckpointsOnDisk) else ()
    lines = [reader.choice.mark]
    if isinstance(reader, StateReader) and reader.optimizer:
        lines.append(repr(reader.optimizer))
    for file in (*files, *others):
        try:
            status = file.stat()
        except OSError:
            lines.append(f"{file.name} is not there")  # the reader says what is wrong
        else:
            lines.append(f"{file.name} {status.st_size} {status.st_mtime_ns}")
    return "local-" + hashlib.blake2b("\n".join(lines).encode(), digest_size=6).hexdigest()
