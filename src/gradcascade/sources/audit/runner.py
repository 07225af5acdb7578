"""Audits a family: the listing, then the contents, then what is known of its repositories."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gradcascade.errors import InputError
from gradcascade.sources.audit.content_checks import check_checkpoints
from gradcascade.sources.audit.findings import (
    CHECKPOINT,
    FAULT,
    GRADIENT,
    NOTE,
    Finding,
    Spoiled,
    at_steps,
    in_order,
)
from gradcascade.sources.audit.gradient_checks import check_gradients
from gradcascade.sources.audit.known import check_known
from gradcascade.sources.audit.listing import Listing, list_folder
from gradcascade.sources.audit.listing_checks import check_listing
from gradcascade.sources.audit.opened import open_run
from gradcascade.sources.audit.quarantine import Conventions, Entry, Quarantine, entries_of
from gradcascade.sources.choice import selected
from gradcascade.sources.folder_source import family_runs
from gradcascade.sources.layouts.base import Run
from gradcascade.sources.pico_tensors import pico_tensors

_OUT_OF_PLACE = ("late-weights", "foreign-weights", "late-part", "foreign-part")


@dataclass(frozen=True)
class Audit:
    """What an audit of one family found.

    Parameters
    ----------
    listing : Listing
        The files.
    findings : tuple of Finding
        Faults first, then by scale and step.
    conventions : Conventions
        What the steps of the quarantine mean.
    contents : bool
        Whether the tensors were read too.
    """

    listing: Listing
    findings: tuple[Finding, ...]
    conventions: Conventions
    contents: bool = False

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The snapshots that the faults put into quarantine."""
        scales, which = self.listing.scales, self.conventions.gradients
        checkpoints = {scale: self.listing.checkpoints(scale) for scale in scales}
        gradients = {scale: self.listing.gradients(scale, which) for scale in scales}
        return entries_of(self.findings, checkpoints, gradients, self.conventions.label)

    @property
    def quarantine(self) -> Quarantine:
        """The list as a file holds it."""
        return Quarantine((self.conventions,), self.entries)


def audit_listing(listing: Listing, *, label: str = "later", gradients: str = "train") -> Audit:
    """Audit what a listing tells, without opening a file of tensors.

    Parameters
    ----------
    listing : Listing
        The files of a family, of a folder or of a hub.
    label, gradients : str
        The conventions under which the family is to be measured.

    Returns
    -------
    Audit
    """
    conventions = Conventions.model_validate({"name": listing.family, "label": label, "gradients": gradients})
    steps = {scale: [entry.step for entry in entries] for scale, entries in listing.scales.items()}
    hashes = {
        scale: {entry.step: {file.name: file.sha256 for file in entry.checkpoint} for entry in entries}
        for scale, entries in listing.scales.items()
    }
    known = check_known(listing.family, listing.repositories, steps, hashes)
    return Audit(listing, tuple(in_order([*check_listing(listing, gradients), *known])), conventions)


def audit_family(
    folder: Path,
    family: str | None = None,
    *,
    contents: bool = True,
    label: str = "later",
    gradients: str = "train",
    progress: Callable[[str, int, int, str], None] | None = None,
    scales: Mapping[str, str] | None = None,
    select: Sequence[str] = (),
) -> Audit:
    """Audit a family in a folder.

    Parameters
    ----------
    folder : pathlib.Path
        As :func:`gradcascade.sources.folder_source.discover` takes it.
    family : str, optional
        The family's name; by default found from the names of the runs.
    contents : bool
        Whether to read the tensors too, and not only names, sizes and hashes.
    label, gradients : str
        The conventions under which the family is to be measured.
    progress : callable, optional
        Called with a name, the number done, the total and a place.
    scales : mapping of str to str, optional
        The run of each scale; see :func:`gradcascade.sources.folder_source.family_runs`.
    select : sequence of str
        Shell patterns of the tensors to be measured; see :func:`gradcascade.sources.folder_source.discover`.

    Returns
    -------
    Audit

    Raises
    ------
    InputError
        If the folder holds no runs, or a file cannot be read for its hash.
    """

    def show(name: str) -> Callable[[int, int, str], None] | None:
        return functools.partial(progress, name) if progress else None

    listing = list_folder(folder, family, show("listing"), scales)
    audit = audit_listing(listing, label=label, gradients=gradients)
    if not contents:
        return audit
    _, runs = family_runs(folder, family, scales)
    found = list(_contents(listing, folder, runs, gradients, select, show("reading")))
    findings = tuple(in_order(_reconciled(audit.findings, found)))
    return dataclasses.replace(audit, findings=findings, contents=True)


def _contents(
    listing: Listing,
    root: Path,
    runs: dict[str, Run],
    gradients: str,
    select: Sequence[str],
    progress: Callable[[int, int, str], None] | None,
) -> Iterator[Finding]:
    total = sum(
        2 * bool(step.checkpoint) + (gradients in step.gradients) for run in runs.values() for step in run.steps
    )
    done = 0

    def advance(place: str) -> None:
        nonlocal done
        done += 1
        if progress:
            progress(min(done, total), total, place)

    for scale, run in runs.items():
        checkpoints = {step: part.local_path for step, part in run.parts(None).items()}
        opened = open_run(listing.family, scale, CHECKPOINT, root, checkpoints, lambda step: advance(f"step {step}"))
        yield from opened.findings
        opened = dataclasses.replace(opened, measured=_measured(run, opened.names, select))
        yield from check_checkpoints(opened, lambda k, scale=scale: advance(f"{scale} checkpoint {k}"))
        files = {step: part.local_path for step, part in run.parts(gradients).items()}
        opened = open_run(listing.family, scale, GRADIENT, root, files, lambda step: advance(f"step {step}"))
        yield from opened.findings
        yield from check_gradients(opened)


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
    """Both sets of findings, each fact once, and copies held against those that do not fit only.

    Of several steps with the same file at most one is right. If the contents place some of them, but not all, off
    their run's way, those are the wrong ones and the others are cleared. What the contents find is left out where
    the listing told it of the same steps.
    """
    identical = [f for f in listed if f.kind in ("identical-files", "identical-shard") and f.severity == FAULT]
    missing = {(f.scale, s) for f in listed if f.kind == "missing-shard" for s in f.steps}
    wrong = {(f.scale, step) for f in contents if f.kind in _OUT_OF_PLACE for step in f.steps}
    cleared = _cleared_by_structure(listed, contents)
    for finding in listed:
        guilty = [step for step in finding.steps if (finding.scale, step) in wrong]
        if finding in identical and finding.spoils[0].what == CHECKPOINT and 0 < len(guilty) < len(finding.steps):
            yield dataclasses.replace(
                finding,
                sentence=f"{finding.sentence}; by the contents {at_steps(guilty)} "
                f"{'does' if len(guilty) == 1 else 'do'} not",
                spoils=tuple(Spoiled(CHECKPOINT, step) for step in guilty),
            )
        elif finding in cleared:
            sentence = f"{finding.sentence}; by its structure it belongs to {finding.scale}"
            yield dataclasses.replace(finding, severity=NOTE, sentence=sentence, spoils=())
        else:
            yield finding
    for finding in contents:
        told = any(
            set(finding.steps) <= set(other.steps)
            and other.scale == finding.scale
            and other.spoils[0].what == finding.spoils[0].what
            for other in identical
            if finding.spoils
        )
        if finding.kind in ("identical-contents", "copied-part", "stale-part", "scaled-copy") and told:
            continue
        if finding.kind == "unreadable" and (finding.scale, finding.steps[0]) in missing:
            continue
        yield finding


def _cleared_by_structure(listed: Sequence[Finding], contents: Sequence[Finding]) -> list[Finding]:
    """Of a file under several scales, the finding at the one scale where alone it has the structure of the run."""
    misfits = {(f.scale, step) for f in contents if f.kind == "structure" for step in f.steps}
    shared: dict[str, list[Finding]] = {}
    for finding in listed:
        if finding.kind == "identical-across-scales" and finding.severity == FAULT:
            shared.setdefault(finding.sentence.partition(" is identical at ")[2], []).append(finding)
    cleared = []
    for group in shared.values():
        fits = [f for f in group if not any((f.scale, step) in misfits for step in f.steps)]
        if len(fits) == 1 < len(group):
            cleared += fits
    return cleared
