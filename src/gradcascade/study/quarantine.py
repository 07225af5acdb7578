"""The quarantine of a study: ``quarantine.toml`` in its folder, and what is known of published repositories."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gradcascade.errors import InputError
from gradcascade.sources.audit.known import Published, check_known
from gradcascade.sources.audit.quarantine import FILE, Quarantine, entries_of, read_quarantine, write_quarantine
from gradcascade.sources.base import Name, SnapshotRef, Source
from gradcascade.study.plan import FamilyPlan, Plan


def check_quarantine(path: Path, plan: Plan) -> Quarantine:
    """Read a list that the user gave, and refuse one that says nothing about the families of the plan.

    Raises
    ------
    InputError
        If it cannot be read, or has a family that the plan lacks: a list under another name would be ignored.
    """
    found = read_quarantine(path)
    names = [family.name for family in plan.families]
    for family in found.families:
        if family.name not in names:
            raise InputError(
                f"{path} is about the family {family.name!r}, and the plan has {', '.join(map(repr, names))}; "
                "audit what is measured, under the same --family"
            )
    return found


def keep_quarantine(path: Path, study: Path) -> None:
    """Put a list into the study, in place of what it had about the same families; it is obeyed from then on."""
    own = study / FILE
    if path.exists() and own.exists() and path.samefile(own):
        return
    before = read_quarantine(own) if own.exists() else Quarantine()
    write_quarantine(before.merged(read_quarantine(path)), own)


def quarantine_reasons(
    study: Path,
    sources: Sequence[tuple[FamilyPlan, Source]],
    snapshots: Sequence[SnapshotRef],
    given: Path | None = None,
) -> dict[Name, str]:
    """Everything in quarantine, with the reason.

    Parameters
    ----------
    study : pathlib.Path
        Folder of the study, whose list is obeyed if there is one.
    sources : sequence of tuple
        The plan of every family, with its source.
    snapshots : sequence of SnapshotRef
        Their snapshots.
    given : pathlib.Path, optional
        A list that would be put into the study.

    Returns
    -------
    dict
        The reason by family, scale, step and field.

    Raises
    ------
    InputError
        If a list cannot be read, or was made under other conventions than the family is measured by.
    """
    found: dict[Name, str] = {}
    for family, source in sources:
        if isinstance(source, Published):
            found |= _known(family, source)
    own = study / FILE
    listed = read_quarantine(own) if own.exists() else Quarantine()
    if given is not None:
        listed = listed.merged(read_quarantine(given))
    for family, _ in sources:
        scales = dict.fromkeys(snapshot.scale for snapshot in snapshots if snapshot.family == family.name)
        listed.check(family.name, family.label, family.gradients, scales, str(given or own))
    return found | {
        Name(name, scale, "0", step, field): why for (name, scale, field, step), why in listed.reasons().items()
    }


def _known(family: FamilyPlan, source: Published) -> dict[Name, str]:
    """What others have found in the repositories of a published family."""
    findings = check_known(family.name, source.repositories, source.checkpoints)
    entries = entries_of(findings, source.checkpoints, {}, family.label)
    return {Name(entry.family, entry.scale, "0", entry.step, entry.field): entry.reason for entry in entries}
