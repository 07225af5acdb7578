"""The quarantine of a study: ``quarantine.toml`` in its folder, and what is known of published repositories."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from gradcascade.errors import InputError
from gradcascade.fields.kinds import FIELD_KINDS
from gradcascade.sources.audit.findings import CHECKPOINT, Finding
from gradcascade.sources.audit.known import Published, check_known
from gradcascade.sources.audit.quarantine_list import (
    FILE,
    Entry,
    Quarantine,
    entries_of,
    read_quarantine,
    write_quarantine,
)
from gradcascade.sources.base import Name, SnapshotRef, Source
from gradcascade.sources.state_reader import from_state
from gradcascade.study.plan import FamilyPlan, Plan


def check_quarantine(path: Path, plan: Plan) -> Quarantine:
    """Read a list that the user gave; one about a family that the plan lacks would be ignored, so it is refused."""
    found = read_quarantine(path)
    names = [family.name for family in plan.families]
    for family in found.families:
        if family.name not in names:
            raise InputError(
                f"{path} lists snapshots of the family {family.name!r}, and the plan has "
                f"{', '.join(map(repr, names))}; run audit on what is measured, with the same --family"
            )
    return found


def keep_quarantine(path: Path, study: Path) -> None:
    """Put a list into the study, in place of what it had about the same families; it is obeyed from then on."""
    own = study / FILE
    if path.exists() and own.exists() and path.samefile(own):
        return
    before = read_quarantine(own) if own.exists() else Quarantine()
    write_quarantine(before.merged(read_quarantine(path)), own)


def quarantined(
    study: Path,
    sources: Sequence[tuple[FamilyPlan, Source]],
    snapshots: Sequence[SnapshotRef],
    given: Path | None = None,
) -> dict[Name, Entry]:
    """Everything in quarantine: known corruption, and the list of the study; `given` would be put into the study."""
    found: dict[Name, Entry] = {}
    for family, source in sources:
        if isinstance(source, Published):
            found |= {_name(entry): entry for entry in _known(family, source)}
    own = study / FILE
    listed = read_quarantine(own) if own.exists() else Quarantine()
    if given is not None:
        listed = listed.merged(read_quarantine(given))
    for family, _ in sources:
        scales = dict.fromkeys(snapshot.scale for snapshot in snapshots if snapshot.family == family.name)
        listed.check(family.name, family.label, family.gradients, scales, str(given or own))
    found |= {_name(entry): entry for entry in listed.entries}
    return {_name(entry): entry for entry in _of_states(found.values(), snapshots)} | found


def _of_states(entries: Collection[Entry], snapshots: Sequence[SnapshotRef]) -> Iterator[Entry]:
    """Fields of the optimizer's state beside a checkpoint at fault: they were written together."""
    faults: dict[tuple[str, str, str, int], dict[Finding, None]] = {}
    for entry in entries:
        for finding in entry.findings:
            for step in finding.steps if finding.what == CHECKPOINT else ():
                faults.setdefault((entry.family, entry.scale, entry.run, step), {})[finding] = None
    for at in snapshots:
        told = faults.get((at.family, at.scale, at.run, at.step))
        if told and at.field in FIELD_KINDS and from_state(FIELD_KINDS[at.field]):
            yield Entry(at.family, at.scale, at.run, at.field, at.step, tuple(told))


def _name(entry: Entry) -> Name:
    return Name(entry.family, entry.scale, entry.run, entry.step, entry.field)


def _known(family: FamilyPlan, source: Published) -> tuple[Entry, ...]:
    """What others have found in the repositories of a published family."""
    findings = check_known(family.name, source.repositories, source.checkpoints)
    return entries_of(findings, source.checkpoints, {}, family.label)
