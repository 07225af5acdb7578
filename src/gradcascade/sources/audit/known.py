"""Corruption in what is published that others have found and reported; the list is in the family files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from gradcascade.families import Fault, all_faults
from gradcascade.sources.audit.evidence import Known
from gradcascade.sources.audit.findings import CHECKPOINT, DIFFERENCE, FAULT, NOTE, WARNING, Finding, Spoiled, spoiled
from gradcascade.sources.base import RunName


@runtime_checkable
class Published(Protocol):
    """A source whose runs are repositories of a hub."""

    @property
    def repositories(self) -> Mapping[RunName, str]:
        """The repository of each run, ``owner/name``."""
        ...

    @property
    def checkpoints(self) -> Mapping[RunName, Sequence[int]]:
        """The steps of each run whose checkpoints are subtracted, each from the next; ascending."""
        ...


def check_known(
    family: str,
    repositories: Mapping[RunName, str],
    steps: Mapping[RunName, Iterable[int]],
    hashes: Mapping[RunName, Mapping[int, Mapping[str, str | None]]] | None = None,
) -> list[Finding]:
    """What is known of the repositories; of a local run with the name of one, which may be corrected, a note."""
    found = []
    for run, repository in repositories.items():
        there, published = set(steps.get(run, ())), "/" in repository
        for known in reports_of(repository):
            concerned = tuple(step for step in known.steps if step in there)
            if known.spoils == "nothing" and any(min(there) <= step <= max(there) for step in known.steps if there):
                concerned = known.steps  # what is reported may be that they are missing
            differ = published and known.identical and _differ((hashes or {}).get(run, {}), concerned)
            if not concerned or differ:
                continue
            spoils = tuple(item for item in _spoiled(known) if item.step in there) if published else ()
            severity = (FAULT if spoils else WARNING) if published else NOTE
            evidence = Known(repository, known.code, known.sentence, known.urls)
            found.append(Finding(evidence, severity, family, *run, concerned, spoils=spoils))
    return found


def reports_of(repository: str) -> list[Fault]:
    """What is known of a repository, or of the one that a local run has the name of."""
    published = "/" in repository
    return [fault for fault in all_faults() if (fault.concerns if published else fault.concerns_name)(repository)]


def _spoiled(fault: Fault) -> tuple[Spoiled, ...]:
    if fault.spoils == CHECKPOINT:
        return spoiled(CHECKPOINT, fault.steps)
    return spoiled(DIFFERENCE, fault.steps[1:]) if fault.spoils == DIFFERENCE else ()


def _differ(hashes: Mapping[int, Mapping[str, str | None]], steps: Sequence[int]) -> bool:
    """Whether a file of the same name has different hashes at two of the steps."""
    listed = {(name, sha256) for step in steps for name, sha256 in hashes.get(step, {}).items() if sha256}
    return len(listed) > len({name for name, _ in listed})
