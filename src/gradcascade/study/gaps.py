"""Differences that span a missing checkpoint: longer than those beside them, so never measured in their place."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gradcascade.sources.audit.schedules import missing_steps
from gradcascade.sources.base import UPDATE, Name, SnapshotRef
from gradcascade.sources.naming import step_of
from gradcascade.study.snapshot import Job, UnmeasurableError, key_of

if TYPE_CHECKING:
    from gradcascade.study.plan import FamilyPlan
    from gradcascade.study.study import Study


def span_of(source: str) -> tuple[int, int] | None:
    """Steps of the earlier and the later checkpoint of a difference.

    Parameters
    ----------
    source : str
        As a cascade keeps it, ``.../step_20/model.safetensors minus .../step_10/model.safetensors``, or
        ``owner/name: step20 minus step10``.

    Returns
    -------
    tuple of int or None
        None if it names no two steps.
    """
    steps = [_last_step(side) for side in source.split(" minus ")]
    if len(steps) != 2 or steps[0] is None or steps[1] is None:
        return None
    return steps[1], steps[0]


def _last_step(path: str) -> int | None:
    steps = [step for part in re.split(r"[/: ]", path) if (step := step_of(part)) is not None]
    return steps[-1] if steps else None


def bridged(snapshots: Iterable[SnapshotRef]) -> dict[Name, str]:
    """Find the differences across a checkpoint that a scale lacks and others have.

    A checkpoint is missing from a scale if it is at hand for another one and its own schedule, or more than half of
    the other scales (at least two), have it: the rule of the audit (``missing-step``).

    Parameters
    ----------
    snapshots : iterable of SnapshotRef
        All of one family.

    Returns
    -------
    dict
        In words, what is wrong with each of those.
    """
    spans: dict[tuple[str, str], dict[Name, tuple[int, int]]] = defaultdict(dict)
    for snapshot in snapshots:
        if snapshot.field == UPDATE and (span := span_of(snapshot.source)):
            spans[snapshot.scale, snapshot.run][snapshot.name] = span
    steps = {scale: {step for span in own.values() for step in span} for scale, own in spans.items()}
    found = {}
    for scale, own in spans.items():
        others = [there for name, there in steps.items() if name != scale]
        elsewhere = set().union(*others)
        common = {step for step in elsewhere if sum(step in there for there in others) > max(1, len(others) / 2)}
        lacking = (common | (elsewhere & set(missing_steps(sorted(steps[scale]))))) - steps[scale]
        for name, (earlier, later) in own.items():
            if gap := sorted(step for step in lacking if earlier < step < later):
                found[name] = (
                    f"the checkpoint of step {gap[0]} is missing, which other scales have, and the difference of "
                    f"step {later} and step {earlier} spans more time than theirs; bring it back, or give this scale "
                    "a study of its own"
                )
    return found


@dataclass(frozen=True)
class Gaps:
    """Which differences of a run are longer than they should be.

    Attributes
    ----------
    bridged : dict
        From :func:`bridged`, of every family.
    before : dict
        Source, content hash and span of what was measured under the name of each snapshot.
    """

    bridged: Mapping[Name, str]
    before: Mapping[Name, tuple[str, str, int | None]]

    @classmethod
    def of(cls, study: Study, snapshots: Sequence[tuple[FamilyPlan, SnapshotRef]]) -> Gaps:
        """Look at the snapshots of a run.

        Parameters
        ----------
        study : Study
            With what was measured before.
        snapshots : sequence of (FamilyPlan, SnapshotRef)
            Those at hand, of all families.
        """
        found: dict[Name, str] = {}
        # A plan that lists steps decides itself what a difference spans; one that is not there is refused anyway.
        families = {family.name: family for family, _ in snapshots if not (family.hub and family.hub.steps)}
        for name in families:
            found |= bridged(snapshot for family, snapshot in snapshots if family.name == name)
        before = {
            name: (source, digest, span)
            for name, span, digest, conventions, source in study.store.seen()
            if name.family in families and conventions == families[name.family].conventions(name.scale)
        }
        return cls(found, before)

    def too_long(self, snapshot: SnapshotRef) -> bool:
        """Whether a snapshot spans more time than it should, or than what was measured under its name."""
        name = snapshot.name
        source, *_ = self.before.get(name, ("", "", None))
        return name in self.bridged or _longer(span_of(snapshot.source), span_of(source))

    def measured_before(self, snapshot: SnapshotRef, jobs: Sequence[Job], keys: Container[tuple[Any, ...]]) -> bool:
        """Whether a longer difference stands where a shorter one was measured, which then stays.

        Parameters
        ----------
        snapshot : SnapshotRef
            What is at hand.
        jobs : sequence of Job
            The cascades wanted of it.
        keys : container of tuple
            Keys of everything in the store.

        Raises
        ------
        UnmeasurableError
            If it is too long, and the shorter one was not measured, or not all that is wanted of it.
        """
        name = snapshot.name
        source, digest, span = self.before.get(name, ("", "", None))
        if _longer(span_of(snapshot.source), span_of(source)):
            if all(key_of(replace(snapshot, span=span), job.variant, digest) in keys for job in jobs):
                return True
            raise UnmeasurableError(
                "gap",
                f"{source} was measured, and a checkpoint of it is gone, so that what is wanted now cannot be; bring "
                "it back",
            )
        if name in self.bridged:
            raise UnmeasurableError("gap", self.bridged[name])
        return False


def _longer(now: tuple[int, int] | None, before: tuple[int, int] | None) -> bool:
    return bool(now and before and now != before and now[0] <= before[0] and before[1] <= now[1])
