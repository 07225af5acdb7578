"""Measures the cascades of one snapshot, without a store: what to measure goes in, what was found comes out."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from gradcascade.errors import InputError, SourceLostError
from gradcascade.fields.statistics import content_hash, kurtosis
from gradcascade.probe.cascade import Cascade
from gradcascade.probe.relaxation import Probe
from gradcascade.probe.threads import thread_count
from gradcascade.sources.base import SnapshotRef
from gradcascade.study.orders import in_order
from gradcascade.study.plan import Plan
from gradcascade.study.store import KEY, Contents
from gradcascade.study.variants import Variant, draw


@dataclass(frozen=True)
class Job:
    """One cascade of a snapshot: a variant of a plan, which decides how nulls are drawn, and the plan's probe."""

    plan: Plan
    probe: Probe
    variant: Variant


@dataclass(frozen=True)
class Task:
    """What is wanted of one snapshot, and what is known of it. It can be pickled, and so can every event."""

    snapshot: SnapshotRef
    jobs: tuple[Job, ...]
    known: frozenset[tuple[Any, ...]] = frozenset()
    """Keys of cascades that need not be measured."""
    contents: Contents | None = None
    """As remembered from an earlier reading of the same files."""

    @property
    def complete(self) -> bool:
        """Whether nothing of the snapshot need be read."""
        return all(not self.lacks(job.variant, self.contents) for job in self.jobs)

    def lacks(self, variant: Variant, contents: Contents | None) -> bool:
        """Whether a variant is still to be measured, as far as one can know."""
        if contents is None or (variant.needs_layout and not contents.layout_hash):
            return True
        return key_of(self.snapshot, variant, contents) not in self.known


@dataclass(frozen=True)
class Read:
    """The contents of the snapshot are known; ``fresh`` if they were read now."""

    contents: Contents
    fresh: bool


@dataclass(frozen=True)
class Measured:
    """A job is done: a new row of the store, or None for one that was known."""

    row: dict[str, Any] | None


@dataclass(frozen=True)
class Refused:
    """The snapshot cannot be read or measured; ``code`` is one of :data:`gradcascade.study.store.REFUSED`."""

    code: str
    reason: str


Event = Read | Measured | Refused


class UnmeasurableError(Exception):
    """One snapshot cannot be read or measured, the others can; ``code`` is as in :class:`Refused`."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def read(snapshot: SnapshotRef) -> tuple[Any, Contents]:
    """Load a snapshot: its field, and the hashes of what it holds."""
    values = snapshot.load()
    return values, Contents(content_hash(values), layout_hash_of(snapshot))


def measure(task: Task, load: Callable[[], tuple[Any, Contents]] | None = None) -> Iterator[Event]:
    """Measure what a task lacks, job by job; reads the snapshot only then. Raises only if the hub is lost.

    ``load`` gives what :func:`read` does, where it was or is read elsewhere.
    """
    try:
        yield from _measure(task, load or partial(read, task.snapshot))
    except UnmeasurableError as error:
        yield Refused(error.code, str(error))


def _measure(task: Task, load: Callable[[], tuple[Any, Contents]]) -> Iterator[Event]:
    snapshot, contents, values = task.snapshot, task.contents, None
    said = None
    for job in task.jobs:
        if values is None and task.lacks(job.variant, contents):
            try:
                values, contents = load()
            except SourceLostError:
                raise
            except InputError as error:
                raise UnmeasurableError("unreadable", str(error)) from None
        assert contents is not None
        lacking = values is not None and key_of(snapshot, job.variant, contents) not in task.known
        if said != contents:
            yield Read(contents, values is not None)
            said = contents
        yield Measured(row_of(snapshot, job, values, contents) if lacking else None)


def layout_hash_of(snapshot: SnapshotRef) -> str:
    """Hash of the tensors that make up the field, in order; nothing if they are not known."""
    try:
        layout = snapshot.layout()
    except InputError:  # a null that needs it says why
        return ""
    return hashlib.sha256(json.dumps(layout).encode()).hexdigest()[:16] if layout else ""


def key_of(snapshot: SnapshotRef, variant: Variant, contents: Contents) -> tuple[Any, ...]:
    """Key of a cascade in the store: what it is called, and the hashes of what it is measured from."""
    values = {
        **snapshot.name._asdict(),
        "span": snapshot.span or 0,
        "variant": variant.name,
        "replicate": variant.replicate,
        "content_hash": contents.content_hash,
        "layout_hash": contents.layout_hash if variant.needs_layout else "",
        "probe_hash": variant.probe_hash,
        "seed": variant.seed,
    }
    return tuple(values[name] for name in KEY)


def cascade_of(snapshot: SnapshotRef, job: Job, values: Any) -> tuple[Any, Cascade]:
    """Relax a variant of a snapshot that was loaded: the field that it is, and its cascade."""
    try:
        if job.variant.order:
            values = in_order(snapshot, values, job.variant.order)
        field = draw(job.plan, job.variant, values, job.probe.threads, snapshot.layout)
        return field, job.probe(field)
    except InputError as error:
        raise UnmeasurableError("unmeasurable", str(error)) from None


def row_of(snapshot: SnapshotRef, job: Job, values: Any, contents: Contents) -> dict[str, Any]:
    """Measure one cascade of a snapshot that was loaded: its row in a store."""
    start = time.perf_counter()
    field, cascade = cascade_of(snapshot, job, values)
    shape = kurtosis(field, thread_count(job.probe.threads))
    return {
        **dict(zip(KEY, key_of(snapshot, job.variant, contents), strict=True)),
        "n": cascade.n,
        "tau": cascade.tau,
        "size": cascade.size,
        "duration": cascade.duration,
        "ceiling": cascade.ceiling,
        "activity": cascade.activity,
        "max_over_tau": cascade.max_over_tau,
        "kurtosis": shape if math.isfinite(shape) else None,
        "zero_share": cascade.zero_share,
        "source": snapshot.source,
        "revision": snapshot.revision,
        "seconds": time.perf_counter() - start,
    }
