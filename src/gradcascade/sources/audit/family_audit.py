"""Audits a family: the listing, then the contents, then what is known of its repositories."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gradcascade.errors import InputError
from gradcascade.sources.audit import evidence
from gradcascade.sources.audit.checkpoint_checks import check_checkpoints
from gradcascade.sources.audit.findings import CHECKPOINT, FAULT, NOTE, Finding, in_order, spoiled
from gradcascade.sources.audit.gradient_checks import check_gradients
from gradcascade.sources.audit.known import check_known
from gradcascade.sources.audit.listing import Listing, Progress, counter, list_runs
from gradcascade.sources.audit.listing_checks import check_listing
from gradcascade.sources.audit.opened import OpenedRun, open_run
from gradcascade.sources.audit.outcomes import CheckOutcome, outcomes
from gradcascade.sources.audit.quarantine_list import Conventions, Entry, Quarantine, entries_of
from gradcascade.sources.base import FIELDS, GRADIENT, RunName
from gradcascade.sources.choice import selected
from gradcascade.sources.contents import Described, Fields, describe_fields
from gradcascade.sources.evaluations import metrics_table, read_evaluations
from gradcascade.sources.folder import named_runs
from gradcascade.sources.layouts.base import Run
from gradcascade.sources.pico_tensors import pico_tensors
from gradcascade.sources.snapshots import Reading

if TYPE_CHECKING:
    import polars as pl

_OUT_OF_PLACE = (evidence.LateWeights, evidence.ForeignWeights, evidence.LatePart, evidence.ForeignPart)
_COPIES = (evidence.IdenticalContents, evidence.CopiedPart, evidence.StalePart, evidence.ScaledCopy)


@dataclass(frozen=True)
class Audit:
    """What an audit of one family found; `conventions` say what the steps of the quarantine mean."""

    listing: Listing
    findings: tuple[Finding, ...]
    conventions: Conventions
    outcomes: tuple[CheckOutcome, ...]
    contents: bool = False
    described: Mapping[Fields, Described] = field(default_factory=dict)
    """What the fields of every run are made of, where tensors were read."""
    metrics: pl.DataFrame | None = None
    """Evaluations in the folders of the runs, as a table of metrics; None of a hub, where they are not fetched."""
    copies: Mapping[RunName, tuple[str, ...]] = field(default_factory=dict)
    """Checkpoints of every run that hold a step again, and are passed over."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The snapshots that the faults put into quarantine."""
        which, runs = self.conventions.gradients, self.listing.runs
        checkpoints, gradients = ({run.name: run.measured_steps(kind) for run in runs} for kind in (None, which))
        return entries_of(self.findings, checkpoints, gradients, self.conventions.label)

    @property
    def quarantine(self) -> Quarantine:
        """The list as a file holds it."""
        return Quarantine((self.conventions,), self.entries)


def audit_listing(listing: Listing, *, label: str = "later", gradients: str = "train") -> Audit:
    """Audit what a listing tells; `label` and `gradients` say how the family is to be measured."""
    conventions = Conventions.model_validate({"name": listing.family, "label": label, "gradients": gradients})
    repositories = {run.name: run.repository for run in listing.runs}
    steps = {run.name: [entry.step for entry in run.steps] for run in listing.runs}
    hashes = {
        run.name: {entry.step: {file.name: file.sha256 for file in entry.checkpoint} for entry in run.steps}
        for run in listing.runs
    }
    known = check_known(listing.family, repositories, steps, hashes)
    findings = in_order([*check_listing(listing, gradients), *known])
    return Audit(listing, tuple(findings), conventions, outcomes(listing, gradients, findings, None))


def audit_family(
    folder: Path,
    family: str | None = None,
    *,
    contents: bool = True,
    label: str = "later",
    gradients: str = "train",
    progress: Callable[[str, int, int, str], None] | None = None,
    scales: Mapping[str, str] | None = None,
    runs: Mapping[str, Mapping[str, str]] | None = None,
    select: Sequence[str] = (),
    fields: Sequence[str] = FIELDS,
    order: str = "canonical",
    links: bool = False,
) -> Audit:
    """Audit a family in a folder, its tensors too if `contents`; other options as `discover` takes them."""

    def show(name: str) -> Progress | None:
        return functools.partial(progress, name) if progress else None

    name, found_runs = named_runs(folder, family, scales, runs, links=links)
    listing = list_runs(name, folder, found_runs, show("listing"))
    audit = audit_listing(listing, label=label, gradients=gradients)
    copies = {run_name: run.copies for run_name, run in found_runs.items() if run.copies}
    audit = dataclasses.replace(audit, copies=copies, metrics=_evaluations(name, folder, found_runs))
    if not contents:
        return audit
    found: list[Finding] = []
    read: dict[RunName, Counter[str]] = {}
    for opened in _opened(listing, folder, found_runs, gradients, select, show("reading")):
        found += opened.findings
        read.setdefault(opened.name, Counter())[f"{opened.what}s"] += len(opened.paths)
    findings = in_order(_reconciled(audit.findings, found))
    ended = outcomes(listing, gradients, findings, read)
    reading = Reading(name, tuple(fields), gradients, order, label, tuple(select))
    described = describe_fields(at for of, run in found_runs.items() for at in reading.snapshots(run, *of))
    return dataclasses.replace(audit, findings=tuple(findings), outcomes=ended, contents=True, described=described)


def _evaluations(family: str, root: Path, runs: Mapping[RunName, Run]) -> pl.DataFrame:
    """Results of the runs that can be read; what cannot be is told by measuring."""
    rows = [
        (of.scale, of.run, *row)
        for of, run in runs.items()
        for row in read_evaluations(run.tree.small_folder(run.folder), root, lambda _: None)
    ]
    return metrics_table(family, rows)


def _opened(
    listing: Listing,
    root: Path,
    runs: Mapping[RunName, Run],
    gradients: str,
    select: Sequence[str],
    progress: Progress | None,
) -> Iterator[OpenedRun]:
    """The checkpoints and the gradients of every run, with all that was found in them."""
    advance = counter(progress, sum(2 * len(run.parts(None)) + len(run.parts(gradients)) for run in runs.values()))
    barred = {(of.name, entry.step) for of in listing.runs for entry in of.steps if not entry.whole}
    for name, run in runs.items():
        for what, which in ((CHECKPOINT, None), (GRADIENT, gradients)):
            parts = run.parts(which).items()
            files = {step: part.local_path for step, part in parts if which or (name, step) not in barred}
            opened = open_run(listing.family, name, what, root, files, lambda step: advance(f"step {step}"), select)
            if what == CHECKPOINT:
                opened = dataclasses.replace(opened, measured=_measured(run, opened.names, select))
                found = check_checkpoints(opened, lambda k, name=name: advance(f"{name} checkpoint {k}"))
            else:
                found = check_gradients(opened)
            yield dataclasses.replace(opened, findings=(*opened.findings, *found))


def _measured(run: Run, names: Sequence[str], select: Sequence[str]) -> tuple[int, ...] | None:
    """Which tensors of the checkpoints make up an update; None for all, or where it is for measuring to complain."""
    places = {name: place for place, name in enumerate(names)}
    try:
        if select:
            return tuple(places[name] for name in selected(names, select, run.name))
        return tuple(pico_tensors(places, run.name).values()) if run.layout.rule == "pico" else None
    except InputError:
        return None


def _reconciled(listed: Sequence[Finding], contents: Sequence[Finding]) -> Iterator[Finding]:
    """Findings of listing and contents, each fact once; contents tell which of the steps with one file is wrong."""
    identical = [f for f in listed if isinstance(f.evidence, evidence.IdenticalFiles) and f.severity == FAULT]
    missing = {(f.where, s) for f in listed if isinstance(f.evidence, evidence.MissingShard) for s in f.steps}
    wrong = {(f.where, step) for f in contents if isinstance(f.evidence, _OUT_OF_PLACE) for step in f.steps}
    cleared = _cleared_by_structure(listed, contents)
    for finding in listed:
        found = finding.evidence
        guilty = tuple(step for step in finding.steps if (finding.where, step) in wrong)
        if isinstance(found, evidence.IdenticalFiles) and finding in identical and finding.what == CHECKPOINT:
            if 0 < len(guilty) < len(finding.steps):
                told = dataclasses.replace(found, wrong_steps=guilty)
                finding = dataclasses.replace(finding, evidence=told, spoils=spoiled(CHECKPOINT, guilty))
        elif isinstance(found, evidence.IdenticalAcrossRuns) and finding in cleared:
            told = dataclasses.replace(found, belongs_by="structure")
            finding = dataclasses.replace(finding, severity=NOTE, evidence=told, spoils=())
        yield finding
    for finding in contents:
        copied = isinstance(finding.evidence, _COPIES) and any(
            set(finding.steps) <= set(other.steps) and (other.where, other.what) == (finding.where, finding.what)
            for other in identical
            if finding.spoils
        )
        lacking = isinstance(finding.evidence, evidence.Unreadable) and (finding.where, finding.steps[0]) in missing
        if not copied and not lacking:
            yield finding


def _cleared_by_structure(listed: Sequence[Finding], contents: Sequence[Finding]) -> list[Finding]:
    """Of a file under several runs, the finding at the one run where alone it has the structure of the others."""
    misfits = {(f.where, step) for f in contents if isinstance(f.evidence, evidence.Structure) for step in f.steps}
    shared: dict[str, list[Finding]] = {}
    for finding in listed:
        if isinstance(finding.evidence, evidence.IdenticalAcrossRuns) and finding.severity == FAULT:
            shared.setdefault(finding.evidence.sha256, []).append(finding)
    fits = [[f for f in g if not any((f.where, step) in misfits for step in f.steps)] for g in shared.values()]
    return [own[0] for own, group in zip(fits, shared.values(), strict=True) if len(own) == 1 < len(group)]
