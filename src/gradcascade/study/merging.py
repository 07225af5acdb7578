"""Joins studies of one plan, measured in parts, into a new one: all of each, or a refusal that says why not."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from gradcascade.errors import InputError
from gradcascade.fields.kinds import field_plural
from gradcascade.sources.audit.quarantine_list import FILE as QUARANTINE
from gradcascade.sources.base import RunName
from gradcascade.study.contents import FILE as CONTENTS
from gradcascade.study.contents import contents_of_studies
from gradcascade.study.plan import FamilyPlan, Plan, study_path
from gradcascade.study.schedules import FILE as SCHEDULES
from gradcascade.study.shards import Key, Shard, divisions_of, shards_in
from gradcascade.study.store import KEY, SNAPSHOT
from gradcascade.study.study import Study
from gradcascade.study.variants import variants_of

RESULT = ("n", "tau", "size", "duration", "ceiling", "activity")
"""What two measurements of one cascade have to agree in."""

_JOINED = ("path", "hub", "scales", "runs", "evaluations")
"""What may differ between the plans of a family, since each part has its own scales and places."""


@dataclass(frozen=True)
class Missing:
    """Steps that other scales have, and this one lacks, of the real field or of one of its nulls."""

    family: str
    field: str
    run: RunName
    variant: str
    steps: tuple[int, ...]

    @property
    def sentence(self) -> str:
        """The gap in words."""
        listed = ", ".join(f"{step:,}" for step in self.steps[:5]) + (", ..." if len(self.steps) > 5 else "")
        what = field_plural(self.field) if self.variant == "real" else f"{self.variant} of {field_plural(self.field)}"
        word = "step" if len(self.steps) == 1 else "steps"
        return f"{self.family}, {self.run}: {what} are missing at {len(self.steps)} {word} ({listed})"


@dataclass(frozen=True)
class Unmeasured:
    """Snapshots of a shard that are not measured in full, and not refused either."""

    shard: Shard
    snapshots: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What is to be measured yet, in words."""
        listed = "; ".join(self.snapshots[:3]) + ("; ..." if len(self.snapshots) > 3 else "")
        word = "snapshot" if len(self.snapshots) == 1 else "snapshots"
        return f"{self.shard} still has to measure {len(self.snapshots)} {word} ({listed})"


@dataclass(frozen=True)
class Merged:
    """What was joined."""

    cascades: int
    doubles: int
    """Cascades that stood in more than one part, equal in each."""
    missing: tuple[Missing, ...]
    notes: tuple[str, ...] = ()
    """What else is to be said, a sentence each."""
    unmeasured: tuple[Unmeasured, ...] = ()
    """What shards still have to measure, those that are not among the studies too."""


@dataclass(frozen=True)
class Contents:
    """Everything a new study is made of."""

    plan: Plan
    cascades: pl.DataFrame
    current: pl.DataFrame
    refusals: pl.DataFrame
    metrics: pl.DataFrame
    provenance: dict[str, Any]
    files: dict[str, str]
    """Further files of the study, by name."""


def merge_studies(folders: Sequence[Path], out: Path) -> Merged:
    """Join studies into a new one; nothing is left at ``out`` if they do not fit.

    They may still be being measured: what is stored when they are opened is joined. A folder of shards stands for
    all of them.
    """
    folders = [one for folder in folders for one in _shards_or_study(folder)]
    with ExitStack() as stack:
        studies = [stack.enter_context(Study.open(folder, read_only=True)) for folder in folders]
        plan = _one_plan(studies, out)
        cascades, doubles = _one_table([study.store.cascades() for study in studies], folders)
        current = _one_current([study.store.current() for study in studies], folders)
        metrics = _one_metrics([study.metrics() for study in studies], folders)
        files, notes = _one_set_of_files(folders)
        measured = current.select(SNAPSHOT).unique()
        refusals = pl.concat([study.refusals() for study in studies]).unique(
            SNAPSHOT, keep="last", maintain_order=True
        )
        refusals = refusals.join(measured, on=SNAPSHOT, how="anti", nulls_equal=True)
        parts = [
            {"study": study.folder.name, "cascades": study.store.cascades().height, **study.provenance()}
            for study in studies
        ]
    contents = Contents(plan, cascades, current, refusals, metrics, {"merged": parts}, files)
    missing, unmeasured = write_study(contents, out, divisions_of(folders))
    return Merged(cascades.height, doubles, missing, tuple(notes), unmeasured)


def _shards_or_study(folder: Path) -> list[Path]:
    inside = [] if (folder / "plan.toml").is_file() else [shard for _, shard in shards_in(folder)]
    return inside or [folder]


def write_study(
    contents: Contents, out: Path, divisions: Mapping[Key, Iterable[Shard]] = MappingProxyType({})
) -> tuple[tuple[Missing, ...], tuple[Unmeasured, ...]]:
    """Write a new study as a whole or not at all; gives what it lacks, and what shards have still to measure."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} holds something already; give --out a new or empty folder")
    try:
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.absolute().parent))
    except OSError as error:
        raise InputError(f"{out} cannot be written ({error.strerror}); choose another --out") from None
    try:
        folder = scratch / "study"
        with Study.create(folder, contents.plan) as study:
            study.store.take_up(contents.cascades, contents.current, contents.refusals, contents.metrics)
            missing, unmeasured = missing_of(study), unmeasured_of(study, divisions)
        provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8")) | contents.provenance
        (folder / "provenance.json").write_text(json.dumps(provenance, indent=2) + "\n", encoding="utf-8")
        for name, text in contents.files.items():
            (folder / name).write_text(text, encoding="utf-8")
        if out.exists():
            out.rmdir()
        folder.rename(out)
    except OSError as error:
        raise InputError(f"{out} cannot be written ({error.strerror}); choose another --out") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return missing, unmeasured


def unmeasured_of(study: Study, divisions: Mapping[Key, Iterable[Shard]]) -> tuple[Unmeasured, ...]:
    """Snapshots that shards were to measure, and that neither have all their cascades nor were refused."""
    each = len(variants_of(study.plan, 0))
    span = pl.col("span").fill_null(0)
    counts = study.cascades().with_columns(span).group_by(SNAPSHOT).len().filter(pl.col("len") >= each)
    done = {*counts.select(SNAPSHOT).rows(), *study.refusals().with_columns(span).select(SNAPSHOT).rows()}
    lacking: dict[Shard, list[str]] = {}
    for key, owners in divisions.items():
        if key not in done:
            for shard in owners:
                lacking.setdefault(shard, []).append(_snapshot(dict(zip(SNAPSHOT, key, strict=True))))
    return tuple(Unmeasured(shard, tuple(lacking[shard])) for shard in sorted(lacking))


def missing_of(study: Study) -> tuple[Missing, ...]:
    """Steps that some scale of a family and field has in full, and another lacks or has without a null."""
    table = study.cascades()
    asked = {(variant.name, variant.replicate) for variant in variants_of(study.plan, 0)}
    found: list[Missing] = []
    for part in table.partition_by("family", "field", maintain_order=True):
        family, field = part["family"][0], part["field"][0]
        steps = set(part["step"])
        for own in part.partition_by("scale", "run", maintain_order=True):
            run = RunName(own["scale"][0], own["run"][0])
            has: dict[str, dict[int, int]] = {}
            for variant, step in own.select("variant", "step").iter_rows():
                has.setdefault(variant, {}).setdefault(step, 0)
                has[variant][step] += 1
            for variant in sorted({name for name, _ in asked}, key=lambda name: (name != "real", name)):
                wanted = sum(name == variant for name, _ in asked)
                at = steps if variant == "real" else set(has.get("real", {}))
                lacks = sorted(step for step in at if has.get(variant, {}).get(step, 0) < wanted)
                if lacks:
                    found.append(Missing(family, field, run, variant, tuple(lacks)))
    return tuple(found)


def _one_plan(studies: Sequence[Study], out: Path) -> Plan:
    first = studies[0]
    families = {family.name: _seen_from(first.folder, family, out) for family in first.plan.families}
    window = first.plan.fit.window
    for other in studies[1:]:
        for part in ("probe", "nulls"):
            ours, theirs = getattr(first.plan, part).model_dump(), getattr(other.plan, part).model_dump()
            _same(ours, theirs, f"{part}.", first.folder, other.folder)
        if other.plan.fit.window not in (None, window) and window is not None:
            _same({"window": window}, {"window": other.plan.fit.window}, "fit.", first.folder, other.folder)
        window = window or other.plan.fit.window
        for family in other.plan.families:
            moved = _seen_from(other.folder, family, out)
            known = families.get(family.name)
            families[family.name] = moved if known is None else _one_family(known, moved, first.folder, other.folder)
    fit = first.plan.fit.model_copy(update={"window": window})
    return first.plan.model_copy(update={"families": tuple(families.values()), "fit": fit})


def _same(ours: dict[str, Any], theirs: dict[str, Any], where: str, first: Path, second: Path) -> None:
    for key, value in ours.items():
        if theirs[key] != value:
            raise InputError(
                f"{first} was planned with {where}{key} = {value} and {second} with {theirs[key]}; only studies of "
                "the same plan can be joined"
            )


def _seen_from(study: Path, family: FamilyPlan, out: Path) -> FamilyPlan:
    """A family whose paths lead from the new study to where they led from the old one."""
    moved = {
        name: os.path.relpath(study_path(study, place), out.absolute())
        for name, place in (("path", family.path), ("evaluations", family.evaluations))
        if place is not None
    }
    return family.model_copy(update=moved)


def _one_family(ours: FamilyPlan, theirs: FamilyPlan, first: Path, second: Path) -> FamilyPlan:
    where = f"the family {ours.name}: "
    kept, others = ours.model_dump(exclude=set(_JOINED)), theirs.model_dump(exclude=set(_JOINED))
    _same(kept, others, where, first, second)
    named = [{"scales or runs named": bool(family.scales or family.runs)} for family in (ours, theirs)]
    _same(named[0], named[1], where, first, second)
    update: dict[str, Any] = {"evaluations": ours.evaluations or theirs.evaluations}
    if ours.hub and theirs.hub:
        _same({"layout": ours.hub.layout}, {"layout": theirs.hub.layout}, where, first, second)
        steps = None
        if ours.hub.steps is not None and theirs.hub.steps is not None:
            steps = tuple(sorted({*ours.hub.steps, *theirs.hub.steps}))
        places = _one_mapping(ours.hub.repositories, theirs.hub.repositories, where, first, second)
        update["hub"] = ours.hub.model_copy(update={"repositories": places, "steps": steps})
        return ours.model_copy(update=update)
    _same({"hub": bool(ours.hub)}, {"hub": bool(theirs.hub)}, where, first, second)
    for key in ("scales", "runs"):
        mine, other = getattr(ours, key), getattr(theirs, key)
        update[key] = _one_mapping(mine or {}, other or {}, where, first, second) or None
    return ours.model_copy(update=update)


def _one_mapping(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], where: str, first: Path, second: Path
) -> dict[str, Any]:
    joined = {**ours, **theirs}
    for scale in ours.keys() & theirs.keys():
        if isinstance(ours[scale], Mapping) and isinstance(theirs[scale], Mapping):  # runs of a scale
            joined[scale] = _one_mapping(ours[scale], theirs[scale], f"{where}{scale}, run ", first, second)
        else:
            _same({scale: ours[scale]}, {scale: theirs[scale]}, where, first, second)
    return joined


def _one_table(tables: Sequence[pl.DataFrame], folders: Sequence[Path]) -> tuple[pl.DataFrame, int]:
    """All cascades, each once; two measurements of one that differ are refused."""
    profile = pl.col("activity").cast(pl.List(pl.String)).list.join(" ")
    every = pl.concat(tables)
    once = every.unique(KEY, keep="first", maintain_order=True)
    differing = every.with_columns(profile).unique([*KEY, *RESULT], maintain_order=True)
    if differing.height > once.height:
        row = differing.filter(differing.select(KEY).is_duplicated()).row(0, named=True)
        raise InputError(
            f"{_places(folders)} have {_snapshot(row)}, {row['variant']} with different results; keep one"
        )
    return once, every.height - once.height


def _one_current(tables: Sequence[pl.DataFrame], folders: Sequence[Path]) -> pl.DataFrame:
    every = pl.concat(tables).unique(maintain_order=True)
    twice = every.filter(every.select(*SNAPSHOT, "conventions").is_duplicated())
    if twice.height:
        raise InputError(
            f"{_places(folders)} measured different values of {_snapshot(twice.row(0, named=True))} "
            f"({twice.height} such rows); measure it again from one source, or name its runs apart"
        )
    return every


def _one_metrics(tables: Sequence[pl.DataFrame], folders: Sequence[Path]) -> pl.DataFrame:
    every = pl.concat(tables).unique(maintain_order=True)
    key = ["family", "scale", "run", "step", "metric"]
    twice = every.filter(every.select(key).is_duplicated())
    if twice.height:
        row = twice.row(0, named=True)
        raise InputError(
            f"{_places(folders)} have different values of {row['metric']} of {row['family']}, {row['scale']}, step "
            f"{row['step']}; attach the right one to both with `gradcascade metrics`"
        )
    return every


def _one_set_of_files(folders: Sequence[Path]) -> tuple[dict[str, str], list[str]]:
    files: dict[str, str] = {}
    notes: list[str] = []
    schedules: dict[str, Any] = {}
    for folder in folders:
        try:
            found = json.loads((folder / SCHEDULES).read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            raise InputError(f"{folder / SCHEDULES} is not a file of schedules; remove it") from None
        for family, known in found.items():
            if schedules.setdefault(family, known) != known:
                schedules[family] = {"reason": "the studies that were joined have different schedules"}
                notes.append(f"{family}: the studies have different schedules, so none is used")
    if schedules:
        files[SCHEDULES] = json.dumps(schedules, indent=2) + "\n"
    if contents := contents_of_studies(folders):
        files[CONTENTS] = contents
    lists = {path.read_text(encoding="utf-8") for folder in folders if (path := folder / QUARANTINE).is_file()}
    if len(lists) == 1:
        files[QUARANTINE] = lists.pop()
    elif lists:
        notes.append("the studies have different lists of snapshots in quarantine, so none is kept")
    return files, notes


def _places(folders: Iterable[Path]) -> str:
    return " and ".join(map(str, folders))


def _snapshot(row: dict[str, Any]) -> str:
    return f"{row['family']}, {RunName(row['scale'], row['run'])}, step {row['step']}, {row['field']}"
