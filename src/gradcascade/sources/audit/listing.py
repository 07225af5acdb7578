"""What an audit looks at before any tensor is read: names, sizes and hashes of the files of every step."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gradcascade.errors import InputError
from gradcascade.sources.audit.findings import Evidence, Finding, Spoiled, field_of
from gradcascade.sources.audit.stated_steps import Statement, stated_steps
from gradcascade.sources.base import RunName
from gradcascade.sources.checkpoint import INDEXED, WHOLE
from gradcascade.sources.folder_source import named_runs
from gradcascade.sources.layouts.base import GRADIENTS, Step
from gradcascade.sources.layouts.step_folders import DYNAMICS
from gradcascade.sources.stored import MAX_HEADER
from gradcascade.sources.trees.local import inside

_WEIGHTS = re.compile(r"(?P<stem>model|pytorch_model)(?:-(?P<shard>\d{5})-of-(?P<count>\d{5}))?\.(?:safetensors|bin)")
_GRADIENT = re.compile(rf"((?:{DYNAMICS}/)?(?P<which>{'|'.join(GRADIENTS)})_)?gradients\.(?:pt|safetensors)")
_BLOCK = 1 << 22


class FileEntry(Protocol):
    """A file as a hub's tree listing describes it; ``sha256`` is None where the hub does not list one."""

    @property
    def path(self) -> str: ...  # noqa: D102
    @property
    def size(self) -> int: ...  # noqa: D102
    @property
    def sha256(self) -> str | None: ...  # noqa: D102


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
        return ()

    def gradient(self, which: str) -> ListedFile | None:
        """The file of the ``"train"`` or ``"val"`` gradients, if it is there."""
        matches = ((file, _GRADIENT.fullmatch(file.name)) for file in self.files)
        return next((file for file, match in matches if match and (match["which"] or "train") == which), None)

    def measured(self, which: str) -> list[ListedFile]:
        """The files that fields are read from."""
        gradient = self.gradient(which)
        return [*self.checkpoint, *([gradient] if gradient else [])]


@dataclass(frozen=True)
class ListedRun:
    """The files of one run, steps ascending.

    `repository` is ``owner/name`` on a hub, and the run's folder on disk. On a hub `asked` are the steps to be
    measured, whether they are there or not: a difference with one that is not is refused. In a folder there are
    none, and a difference spans what is missing.
    """

    name: RunName
    steps: tuple[ListedStep, ...]
    repository: str = ""
    asked: tuple[int, ...] = ()

    def checkpoints(self) -> list[int]:
        """Steps of the checkpoints that are subtracted, each from the next."""
        there = [entry.step for entry in self.steps if entry.checkpoint]
        return list(self.asked or there) if there else []

    def gradients(self, which: str) -> list[int]:
        """Steps of the ``"train"`` or ``"val"`` gradients to be measured."""
        there = [entry.step for entry in self.steps if entry.gradient(which)]
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


def list_folder(
    folder: Path,
    family: str | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    scales: Mapping[str, str] | None = None,
    runs: Mapping[str, Mapping[str, str]] | None = None,
) -> Listing:
    """List the files of a local family; each file of weights or gradients is read once, for its hash.

    `folder`, `family`, `scales` and `runs` as `gradcascade.sources.folder_source.discover` takes them.
    """
    found, named = named_runs(folder, family, scales, runs)
    places = [(name, step) for name, run in named.items() for step in run.steps]
    listed: dict[RunName, list[ListedStep]] = {name: [] for name in named}
    for done, (name, step) in enumerate(places, 1):
        listed[name].append(_list_step(step, folder))
        if progress:
            progress(done, len(places), f"{name} step {step.step}")
    return Listing(
        found, str(folder), tuple(ListedRun(name, tuple(steps), named[name].name) for name, steps in listed.items())
    )


def listing_from_files(
    family: str,
    origin: str,
    files: Mapping[str, Mapping[int, Iterable[FileEntry]]],
    repositories: Mapping[str, str] | None = None,
    titles: Mapping[str, Mapping[int, str]] | None = None,
    asked: Mapping[str, tuple[int, ...]] | None = None,
    chosen: bool = False,
) -> Listing:
    """Make a listing of what a hub lists, by scale and step; `titles` are the commits', whose steps are compared."""
    runs = []
    for scale, steps in files.items():
        found = []
        for step in sorted(steps):
            kept = [ListedFile(f.path, f.size, f.sha256) for f in steps[step] if _matters(f.path)]
            title = (titles or {}).get(scale, {}).get(step)
            match = re.search(r"\bstep[ _-]?(\d+)\s*$", title, re.IGNORECASE) if title else None
            stated = (Statement("the commit's title", int(match[1])),) if match else ()
            found.append(ListedStep(step, tuple(sorted(kept, key=lambda f: f.name)), (), stated))
        repository, wanted = (repositories or {}).get(scale, ""), (asked or {}).get(scale, ())
        runs.append(ListedRun(RunName(scale), tuple(found), repository, tuple(wanted)))
    return Listing(family, origin, tuple(runs), chosen)


def _matters(name: str) -> bool:
    return bool(_WEIGHTS.fullmatch(name) or _GRADIENT.fullmatch(name)) or name in INDEXED


def _list_step(step: Step, root: Path) -> ListedStep:
    folder = root / step.folder
    named = tuple(sorted({shard for index in INDEXED for shard in _shards_named_in(folder / index)}))
    paths = {path.name: path for path in folder.iterdir()}
    paths = {name: path for name, path in paths.items() if not _GRADIENT.fullmatch(name)}
    paths |= {part.file: part.local_path for part in step.gradients.values()}
    files = [
        ListedFile(name, path.stat().st_size, _sha256(inside(root, path)), path)
        for name, path in sorted(paths.items())
        if (_matters(name) or name in named) and path.is_file()
    ]
    return ListedStep(step.step, tuple(files), named, tuple(stated_steps(folder, [f.path for f in files if f.path])))


def _shards_named_in(index: Path) -> set[str]:
    """Plain file names in an index's map; a broken index is the content check's to explain."""
    try:
        if index.stat().st_size > MAX_HEADER:
            return set()
        content = json.loads(index.read_bytes())
    except (OSError, ValueError, RecursionError):
        return set()
    shards = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(shards, dict):
        return set()
    return {shard for shard in shards.values() if isinstance(shard, str) and re.fullmatch(r"[\w.-]+", shard)}


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}); check its permissions") from None
    return digest.hexdigest()
