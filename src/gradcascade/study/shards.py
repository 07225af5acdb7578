"""Shards: parts of a plan that are measured apart, each into a study of its own, and joined by ``merge``."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from gradcascade.errors import InputError
from gradcascade.files import write_whole
from gradcascade.sources.base import UPDATE, SnapshotRef, Source
from gradcascade.sources.hub_source import HubSource

FILE = "shard.json"
"""Which part a study is, and which shard has which snapshot."""

SLURM = "slurm"
"""What stands for I/N where Slurm's variables say it."""

_TASK = "SLURM_ARRAY_TASK_"

Key = tuple[str, str, str, int, str, int]
"""A snapshot's name and span, 0 for none."""


@dataclass(frozen=True, order=True)
class Shard:
    """One of the parts of a plan, counted from 1."""

    of: int
    number: int

    def __str__(self) -> str:
        return f"shard {self.number} of {self.of}"

    def folder(self, out: Path) -> Path:
        """Its study; shards of another division beside it, or a whole study, are refused."""
        if (out / "plan.toml").is_file():
            raise InputError(f"{out} is a study; give --out a folder for the shards, each of which is a study in it")
        for other, folder in shards_in(out):
            if other.of != self.of:
                raise InputError(
                    f"{out} has shards of {other.of} ({folder.name}), not of {self.of}; give --shard I/{other.of} "
                    "to go on with them, or another --out"
                )
        return out / f"shard-{self.number}-of-{self.of}"


def shards_in(folder: Path) -> list[tuple[Shard, Path]]:
    """Shards that were begun in a folder, in their order."""
    found = []
    for path in folder.glob("shard-*-of-*"):
        if (match := re.fullmatch(r"shard-([1-9]\d*)-of-([1-9]\d*)", path.name)) and (path / "plan.toml").is_file():
            found.append((Shard(int(match[2]), int(match[1])), path))
    return sorted(found)


def read_shard(text: str, environment: Mapping[str, str]) -> Shard:
    """The shard that ``I/N`` names, or ``slurm``: the task of an array without gaps."""
    if text == SLURM:
        return _of_slurm(environment)
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise InputError(
            f"--shard takes I/N with I from 1 to N, such as 3/8, or {SLURM} in a task of a Slurm array, not {text!r}"
        )
    return Shard(int(match[2]), int(match[1]))


def _of_slurm(environment: Mapping[str, str]) -> Shard:
    given = {name: environment.get(f"{_TASK}{name}", "") for name in ("ID", "COUNT", "MIN", "MAX", "STEP")}
    lacking = [f"{_TASK}{name}" for name in ("ID", "COUNT", "MIN", "MAX") if not given[name].isdecimal()]
    if lacking:
        raise InputError(f"--shard {SLURM} is for tasks of a Slurm array, but {lacking[0]} is not set; give I/N")
    step = int(given["STEP"]) if given["STEP"].isdecimal() else 1
    task, count, first, last = (int(given[name]) for name in ("ID", "COUNT", "MIN", "MAX"))
    place, beside = divmod(task - first, step or 1)
    if beside or not 0 <= place < count or (last - first) // (step or 1) + 1 != count:
        raise InputError(
            f"the Slurm array has {count} tasks between {first} and {last}, not all of them, so its tasks do not say "
            f"which shard is which; give --shard I/N, such as $SLURM_ARRAY_TASK_ID/N"
        )
    return Shard(count, place + 1)


def divide(snapshots: Sequence[SnapshotRef], of: int, sources: Iterable[Source]) -> list[int]:
    """Number of the shard of every snapshot, from 1: even in entries, and the same on every machine.

    Shards are stretches of runs, so that a checkpoint is read by two only where one ends and the next begins.
    """
    weights = _weights(snapshots, sources)
    steps: dict[tuple[str, str, str], dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for snapshot, weight in zip(snapshots, weights, strict=True):
        steps[snapshot.name[:3]][snapshot.step] += weight
    total, before = sum(weights), 0.0
    shards: dict[tuple[str, str, str, int], int] = {}
    for run, own in steps.items():
        for step in sorted(own):
            shards[*run, step] = min(of, 1 + int((before + own[step] / 2) / total * of))
            before += own[step]
    return [shards[snapshot.name[:4]] for snapshot in snapshots]


def _weights(snapshots: Sequence[SnapshotRef], sources: Iterable[Source]) -> list[float]:
    """About the entries of each; all of a kind in a run weigh the same, since files may still be being written."""
    entries = {
        found.snapshots: found.entries
        for source in sources
        if isinstance(source, HubSource)
        for found in source.found
    }
    remote = {snapshot: size for found, size in entries.items() for snapshot in found}
    sizes: dict[tuple[str, str, str, str], list[float]] = defaultdict(list)
    kinds = []
    for snapshot in snapshots:
        name = snapshot.name
        kinds.append((name.family, name.scale, name.run, name.field))
        size = float(remote.get(snapshot, 0))
        with suppress(OSError):
            # float32, of two checkpoints or of one file
            size = size or sum(file.stat().st_size for file in snapshot.files) / (8 if name.field == UPDATE else 4)
        if size:
            sizes[kinds[-1]].append(size)
    usual = {kind: median(found) for kind, found in sizes.items()}
    return [usual.get(kind, 1.0) for kind in kinds]


def keep_division(study: Path, shard: Shard, snapshots: Sequence[SnapshotRef], shards: Sequence[int]) -> None:
    """Note in a shard's study which shard has which snapshot."""
    rows = [[*snapshot.name, snapshot.span or 0, own] for snapshot, own in zip(snapshots, shards, strict=True)]
    text = json.dumps({"shard": shard.number, "of": shard.of, "snapshots": rows})
    try:
        write_whole(study / FILE, text + "\n")
    except OSError as error:
        raise InputError(
            f"{study / FILE} cannot be written ({error.strerror}); free space or choose another"
        ) from None


def divisions_of(studies: Sequence[Path]) -> dict[Key, set[Shard]]:
    """Which shards have which snapshot, as the studies' own notes say; studies that are no shards have none."""
    found: dict[Key, set[Shard]] = {}
    for folder in studies:
        try:
            noted = json.loads((folder / FILE).read_text(encoding="utf-8"))
            for family, scale, run, step, field, span, number in noted["snapshots"]:
                shard = Shard(int(noted["of"]), int(number))
                found.setdefault((family, scale, run, int(step), field, int(span)), set()).add(shard)
        except FileNotFoundError:
            continue
        except (OSError, ValueError, TypeError, KeyError):
            raise InputError(f"{folder / FILE} does not say what the shard has; run its `measure` again") from None
    return found
