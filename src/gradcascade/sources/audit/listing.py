"""What an audit looks at before any tensor is read: names, sizes and hashes of the files of every step."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gradcascade.errors import InputError, MissingError
from gradcascade.sources.audit.findings import Evidence, Finding, Spoiled, field_of
from gradcascade.sources.audit.stated_steps import Statement, stated_steps
from gradcascade.sources.base import RunName
from gradcascade.sources.checkpoint import INDEXED, WHOLE, files_of
from gradcascade.sources.checkpoints._distributed import METADATA
from gradcascade.sources.checkpoints.huggingface import shards_named
from gradcascade.sources.layouts.base import GRADIENTS, Run, Step
from gradcascade.sources.layouts.step_folders import DYNAMICS
from gradcascade.sources.naming import step_of_file
from gradcascade.sources.stored import mark_of
from gradcascade.sources.trees.base import Part, Tree, TreeFile
from gradcascade.sources.trees.local import inside

if TYPE_CHECKING:
    from gradcascade.sources.hub_source import HubSource

Progress = Callable[[int, int, str], None]
"""Called with the number done, the total and a place."""

_WEIGHTS = re.compile(r"(?P<stem>model|pytorch_model)(?:-(?P<shard>\d{5})-of-(?P<count>\d{5}))?\.(?:safetensors|bin)")
_GRADIENT = re.compile(rf"((?:{DYNAMICS}/)?(?P<which>{'|'.join(GRADIENTS)})_)?gradients\.(?:pt|safetensors)")


@dataclass(frozen=True)
class ListedFile:
    """One file of a step, named as seen from the step's folder; `path` if it lies on this machine."""

    name: str
    size: int
    sha256: str | None
    path: Path | None = None

    @property
    def shard(self) -> tuple[int, int] | None:
        """Number and count if its name is that of a shard, ``...-00001-of-00003...``."""
        match = _WEIGHTS.fullmatch(self.name)
        return (int(match["shard"]), int(match["count"])) if match and match["shard"] else None


@dataclass(frozen=True)
class ListedStep:
    """What there is of one step: weights, their indexes and gradients by name, and the steps that these state."""

    step: int
    files: tuple[ListedFile, ...]
    named_shards: tuple[str, ...] = ()
    statements: tuple[Statement, ...] = ()
    others: tuple[str, ...] = ()
    """Names of the checkpoint's files where its kind is none of transformers'."""
    led_out: tuple[tuple[str, str], ...] = ()
    """Files that links lead out of the folder, by name, and why they are not looked at."""

    @property
    def checkpoint(self) -> tuple[ListedFile, ...]:
        """The files that the checkpoint is read from: safetensors before pickles, a whole file before shards."""
        names = {file.name: file for file in self.files}
        for whole, index in zip(WHOLE, INDEXED, strict=True):
            if whole in names:
                return (names[whole],)
            stem, suffix = whole.rsplit(".", 1)
            shards = [f for f in self.files if f.shard and f.name.startswith(stem + "-") and f.name.endswith(suffix)]
            named = [f for f in self.files if f.name in self.named_shards and f.name.endswith(suffix)]
            if index in names or shards:
                return tuple(dict.fromkeys(shards + named))
        return tuple(names[name] for name in self.others)

    def gradient(self, which: str) -> ListedFile | None:
        """The file of the ``"train"`` or ``"val"`` gradients, if it is there."""
        matches = ((file, _GRADIENT.fullmatch(file.name)) for file in self.files)
        return next((file for file, match in matches if match and (match["which"] or "train") == which), None)

    @property
    def whole(self) -> bool:
        """Whether every file of the checkpoint may be read."""
        return all(_GRADIENT.fullmatch(name) for name, _ in self.led_out)

    def measured(self, which: str) -> list[ListedFile]:
        """The files that fields are read from."""
        gradient = self.gradient(which)
        return [*self.checkpoint, *([gradient] if gradient else [])]


@dataclass(frozen=True)
class ListedRun:
    """The files of one run, steps ascending; `asked` are those to be measured on a hub, there or not."""

    name: RunName
    steps: tuple[ListedStep, ...]
    repository: str = ""
    asked: tuple[int, ...] = ()

    def measured_steps(self, which: str | None) -> list[int]:
        """Steps of the ``"train"`` or ``"val"`` gradients; of None, of the checkpoints that are subtracted."""
        there = [entry.step for entry in self.steps if (entry.gradient(which) if which else entry.checkpoint)]
        return list(self.asked or there) if there else []

    def finding(
        self,
        evidence: Evidence,
        severity: str,
        steps: Sequence[int],
        what: str | None = None,
        files: Sequence[str] = (),
        spoils: tuple[Spoiled, ...] = (),
    ) -> Finding:
        """A finding about this run; its family is filled in by `check_listing`."""
        field = what and field_of(what)
        return Finding(evidence, severity, "", *self.name, tuple(steps), field, tuple(files), spoils)


@dataclass(frozen=True)
class Listing:
    """The files of a family; `chosen` says that someone chose the steps to be measured, instead of taking all."""

    family: str
    origin: str
    runs: tuple[ListedRun, ...]
    chosen: bool = False


def counter(progress: Progress | None, total: int) -> Callable[[str], None]:
    """Counts what is done, place by place."""
    done = itertools.count(1)
    return lambda place: progress(min(next(done), total), total, place) if progress else None


def list_runs(family: str, root: Path, runs: Mapping[RunName, Run], progress: Progress | None = None) -> Listing:
    """List a local family; each file of weights or gradients is read once, for its hash."""
    advance = counter(progress, sum(len(run.steps) for run in runs.values()))
    found = []
    for name, run in runs.items():
        steps = []
        for step in run.steps:
            read = {part.path for part in step.gradients.values()}
            beside = [f for f in run.tree.files(step.folder) if not _GRADIENT.fullmatch(f.name) or f.path in read]
            elsewhere = [TreeFile(path, 0) for path in read - {file.path for file in beside}]
            listed = listed_step(step.step, [*beside, *elsewhere], step.folder, root, links=_links(run.tree))
            steps.append(_with_checkpoint(listed, step, root))
            advance(f"{name} step {step.step}")
        found.append(ListedRun(name, tuple(steps), run.name))
    return Listing(family, str(root), tuple(found))


def _links(tree: Tree) -> bool:
    """Whether links out of a tree are followed."""
    return getattr(tree, "links", False)


def _with_checkpoint(listed: ListedStep, step: Step, root: Path) -> ListedStep:
    """A step of a local tree with the files of a checkpoint that transformers does not name."""
    if listed.checkpoint or step.checkpoint is None or step.checkpoint.path.endswith(INDEXED):
        return listed
    # What only describes other files may be the same at two steps, and of any size.
    paths = [path for path in files_of(step.checkpoint.local_path) if path.is_file() and path.name != METADATA]
    number = re.compile(rf"(?<![0-9])0*{step.step}(?![0-9])")  # a file of the step's own name is that of all steps
    names = [number.sub("N", path.name) if step_of_file(path.name) is not None else path.name for path in paths]
    files, led_out = _hashed(zip(names, paths, strict=True), root, _links(step.tree))
    stated = tuple(stated_steps(paths[0].parent, paths)) if paths else ()
    statements = tuple(dict.fromkeys((*listed.statements, *stated)))
    led_out = tuple(dict.fromkeys((*listed.led_out, *led_out)))
    others = tuple(file.name for file in files)
    return replace(listed, files=(*listed.files, *files), others=others, statements=statements, led_out=led_out)


def list_hub(source: HubSource, chosen: bool = False, progress: Progress | None = None) -> Listing:
    """List what a family has on the hub; `chosen` steps follow no schedule. Nothing is downloaded."""
    advance = counter(progress, sum(len(found.parts) for found in source.found))
    runs = []
    for found in source.found:
        steps = []
        for step, part in sorted(found.parts.items()):
            steps.append(listed_step(step, _listed(part), part.folder))
            advance(f"{found.name} step {step}")
        runs.append(ListedRun(found.name, tuple(steps), found.tree.name, tuple(found.asked)))
    others = f" and {len(runs) - 1} more" if len(runs) > 1 else ""
    return Listing(source.family, f"{runs[0].repository}{others}", tuple(runs), chosen)


def _listed(part: Part) -> list[TreeFile]:
    """The files of a checkpoint's folder; of a gradient its one file."""
    try:
        files = part.tree.files(part.path.rpartition("/")[0] if part.single else part.folder)
    except MissingError:
        return []  # the commit is gone: its files are missing, which the audit reports
    return [file for file in files if not part.single or file.path == part.path]


def listed_step(
    step: int, files: Iterable[TreeFile], folder: str = "", root: Path | None = None, *, links: bool = False
) -> ListedStep:
    """A step with those of its files that matter; of a local tree (`root`), hashed, and with what they state."""
    here = None if root is None else root / folder
    indexes = [here / name for name in INDEXED] if here else []
    shards = {name for index in indexes for name in shards_named(index, mark_of(index))}
    named = tuple(sorted(name for name in shards if re.fullmatch(r"[\w.-]+", name)))
    wanted = {}
    for file in sorted(files, key=lambda file: file.path):
        name = file.path.removeprefix(f"{folder}/")
        if _WEIGHTS.fullmatch(name) or _GRADIENT.fullmatch(name) or name in INDEXED or name in named:
            wanted[name] = file
    if here is None or root is None:
        return ListedStep(step, tuple(ListedFile(name, file.size, file.sha256) for name, file in wanted.items()))
    listed, led_out = _hashed(((name, here / name) for name in wanted), root, links)
    stated = stated_steps(here, [file.path for file in listed if file.path])
    return ListedStep(step, tuple(listed), named, tuple(stated), led_out=led_out)


def _hashed(
    files: Iterable[tuple[str, Path]], root: Path, links: bool
) -> tuple[list[ListedFile], tuple[tuple[str, str], ...]]:
    """Files by name with their hashes, and those that links lead out of a folder, which are not read."""
    found, led_out = [], []
    for name, path in files:
        if not path.is_file():
            continue
        try:
            inside(root, path, links=links)
        except InputError as error:
            led_out.append((name, str(error)))
        else:
            found.append(ListedFile(name, path.stat().st_size, _sha256(path), path))
    return found, tuple(led_out)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}); check its permissions") from None
