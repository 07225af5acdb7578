"""Updates across a missing checkpoint: they span more steps than the others, so they are not measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from gradcascade.sources.audit.regular_steps import common_steps, missing_steps
from gradcascade.sources.base import UPDATE, Name, RunName, SnapshotRef
from gradcascade.study.snapshot import Job, UnmeasurableError, key_of
from gradcascade.study.store import Contents

if TYPE_CHECKING:
    from gradcascade.study.plan import FamilyPlan
    from gradcascade.study.study import Study


class Ends(NamedTuple):
    """Steps of the two checkpoints of an update."""

    earlier: int
    later: int


class Gap(NamedTuple):
    """The ends of an update, and the first step between them whose checkpoint other runs have."""

    ends: Ends
    missing: int

    def sentence(self) -> str:
        """What is wrong, and what to do."""
        return (
            f"the checkpoint of step {self.missing} is missing here and other runs have it, so the difference of "
            f"steps {self.ends.earlier} and {self.ends.later} spans more training than theirs; restore the "
            "checkpoint, or measure this scale in a study of its own"
        )


class Before(NamedTuple):
    """What was measured under the name of a snapshot."""

    source: str
    contents: Contents
    span: int | None


def ends_of(snapshot: SnapshotRef, label: str) -> Ends | None:
    """The two ends of an update, of which `label`, ``"later"`` or ``"earlier"``, gives the snapshot its step."""
    if snapshot.field != UPDATE or snapshot.span is None:
        return None
    at, span = snapshot.step, snapshot.span
    return Ends(at - span, at) if label == "later" else Ends(at, at + span)


def bridged(snapshots: Iterable[SnapshotRef], label: str = "later") -> dict[Name, Gap]:
    """Updates of a family across a missing checkpoint, by the audit's rule ``missing-step``.

    A run lacks a checkpoint that another has if its own schedule, or most of the others (at least two), have it too.
    """
    ends: dict[RunName, dict[Name, Ends]] = defaultdict(dict)
    for snapshot in snapshots:
        if found := ends_of(snapshot, label):
            ends[RunName(snapshot.scale, snapshot.run)][snapshot.name] = found
    steps = {run: {step for pair in own.values() for step in pair} for run, own in ends.items()}
    gaps = {}
    for run, own in ends.items():
        others = [there for name, there in steps.items() if name != run]
        scheduled = set().union(*others) & set(missing_steps(sorted(steps[run])))
        lacking = (common_steps(others) | scheduled) - steps[run]
        for name, pair in own.items():
            if between := [step for step in lacking if pair.earlier < step < pair.later]:
                gaps[name] = Gap(pair, min(between))
    return gaps


@dataclass(frozen=True)
class Gaps:
    """Which updates span more steps than they should, and what was measured under the name of each snapshot."""

    bridged: Mapping[Name, Gap]
    before: Mapping[Name, Before]

    @classmethod
    def of(cls, study: Study, snapshots: Sequence[tuple[FamilyPlan, SnapshotRef]]) -> Gaps:
        """Look at the snapshots at hand, of all families."""
        found: dict[Name, Gap] = {}
        # A plan that lists steps decides itself what a difference spans; one that is not there is refused anyway.
        families = {family.name: family for family, _ in snapshots if not (family.hub and family.hub.steps)}
        for name, plan in families.items():
            found |= bridged((snapshot for family, snapshot in snapshots if family.name == name), plan.label)
        before = {
            name: Before(source, contents, span)
            for name, span, contents, conventions, source in study.store.seen()
            if name.family in families and conventions == families[name.family].conventions(name.scale, name.run)
        }
        return cls(found, before)

    def too_long(self, snapshot: SnapshotRef) -> bool:
        """Whether a snapshot spans more steps than it should, or than what was measured under its name."""
        return snapshot.name in self.bridged or self._shorter_before(snapshot) is not None

    def measured_before(self, snapshot: SnapshotRef, jobs: Sequence[Job], keys: Container[tuple[Any, ...]]) -> bool:
        """Whether a shorter update was measured, which then stays; else raises if the one at hand is too long."""
        if before := self._shorter_before(snapshot):
            shorter = replace(snapshot, span=before.span)
            if all(key_of(shorter, job.variant, before.contents) in keys for job in jobs):
                return True
            reason = f"{before.source} was measured earlier, and one of its checkpoints is gone since; restore it"
            raise UnmeasurableError("gap", reason)
        if gap := self.bridged.get(snapshot.name):
            raise UnmeasurableError("gap", gap.sentence())
        return False

    def _shorter_before(self, snapshot: SnapshotRef) -> Before | None:
        """What was measured, if the snapshot at hand spans more steps."""
        before = self.before.get(snapshot.name)
        if before is None or before.span is None or snapshot.span is None or snapshot.span <= before.span:
            return None
        return before
