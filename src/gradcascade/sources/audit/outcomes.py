"""How every check ended: passed, failed or not applicable, for each run, with what it looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from gradcascade.sources.audit.evidence import CHECKS
from gradcascade.sources.audit.findings import CONTENTS, NOTE, Finding
from gradcascade.sources.audit.known import reports_of
from gradcascade.sources.audit.listing import ListedRun, Listing
from gradcascade.sources.base import RunName

PASSED, FAILED, NOT_APPLICABLE = "passed", "failed", "not applicable"


@dataclass(frozen=True)
class CheckOutcome:
    """How one check of one run ended, and how much there was of each kind of thing it needs; notes are no failure."""

    code: str
    scale: str
    run: str
    outcome: Literal["passed", "failed", "not applicable"]
    looked_at: dict[str, int]
    findings: int = 0
    why: Literal["too few", "tensors not read"] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The outcome as JSON can hold it, with what the check needs."""
        return asdict(self) | {"needs": dict(CHECKS[self.code].needs)}


def outcomes(
    listing: Listing, which: str, findings: Sequence[Finding], read: Mapping[RunName, Mapping[str, int]] | None
) -> tuple[CheckOutcome, ...]:
    """How every check ended, by run; `read` counts the files whose tensors were read, None if none were."""
    hashed = sum(any(file.sha256 for entry in run.steps for file in entry.measured(which)) for run in listing.runs)
    found = []
    for run in listing.runs:
        there = Counter(_there(run, which) | {"runs with hashes": hashed} | dict((read or {}).get(run.name, {})))
        for code, check in CHECKS.items():
            own = [f for f in findings if f.code == code and f.where == run.name]
            failed = any(f.severity != NOTE for f in own)
            unread = check.reads == CONTENTS and read is None
            few = not failed and all(there[thing] < fewest for thing, fewest in check.needs.items())
            why = "tensors not read" if unread else "too few" if few else None
            looked_at = {} if unread else {thing: there[thing] for thing in check.needs}
            outcome = NOT_APPLICABLE if why else FAILED if failed else PASSED
            found.append(CheckOutcome(code, *run.name, outcome, looked_at, len(own), why))
    return tuple(found)


def _there(run: ListedRun, which: str) -> dict[str, int]:
    measured = [file for entry in run.steps for file in entry.measured(which)]
    names = Counter(file.name for file in measured)
    hashes = Counter(file.name for entry in run.steps for file in entry.files if file.sha256)
    return {
        "steps": len(run.steps) or len(run.asked),
        "sharded checkpoints": sum(any(f.shard for f in e.checkpoint) or bool(e.named_shards) for e in run.steps),
        "files of one name": max(names.values(), default=0),
        "hashes of one name": max(hashes.values(), default=0),
        "statements": sum(len(entry.statements) for entry in run.steps),
        "reports": len(reports_of(run.repository)),
        "files": len(measured),
    }
