"""Measures the cascades of one snapshot: those that are missing, each kept as soon as it is there."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gradcascade.errors import InputError, SourceLostError
from gradcascade.fields.statistics import content_hash, kurtosis
from gradcascade.probe.cascade import Cascade
from gradcascade.probe.relaxation import Probe
from gradcascade.probe.threads import thread_count
from gradcascade.sources.base import SnapshotRef
from gradcascade.study.plan import FamilyPlan, Plan
from gradcascade.study.store import KEY, Store
from gradcascade.study.variants import Variant, draw


@dataclass(frozen=True)
class Job:
    """One cascade of a snapshot.

    Attributes
    ----------
    plan : Plan
        Decides how nulls are drawn.
    probe : Probe
        The probe of that plan.
    variant : Variant
        One of the plan's.
    """

    plan: Plan
    probe: Probe
    variant: Variant


class UnmeasurableError(Exception):
    """One snapshot cannot be read or measured, the others can; ``code`` is one of :data:`store.REFUSED`."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def measure_snapshot(
    store: Store,
    family: FamilyPlan,
    snapshot: SnapshotRef,
    jobs: Sequence[Job],
    keys: set[tuple[Any, ...]],
    note: Callable[[str], None],
) -> Iterator[bool]:
    """Measure those of the cascades of one snapshot that are missing, and keep each at once.

    Parameters
    ----------
    store : Store
        Where they are kept.
    family : FamilyPlan
        The snapshot's family.
    snapshot : SnapshotRef
        What to measure; read only if something of it is missing.
    jobs : sequence of Job
        The cascades wanted.
    keys : set of tuple
        Keys of everything in the store; new ones are added.
    note : callable
        Called with the hash of the snapshot's contents as soon as it is known.

    Yields
    ------
    bool
        For each cascade, whether it was measured now.

    Raises
    ------
    UnmeasurableError
        If the snapshot cannot be read, or a field of it cannot be measured.
    SourceLostError
        If the hub was lost on the way.
    """
    name = _content_name(family, snapshot)
    state = _state(snapshot)
    digest = store.content_hash(name, state)
    values = None
    noted = False
    for job in jobs:
        variant = job.variant
        if values is None and (digest is None or key_of(snapshot, variant, digest) not in keys):
            try:
                values = snapshot.load()
            except SourceLostError:
                raise
            except InputError as error:
                raise UnmeasurableError("unreadable", str(error)) from None
            digest = content_hash(values)
            store.remember_content(name, state, digest)
            noted = False
        assert digest is not None
        if not noted:
            note(digest)
            noted = True
        key = key_of(snapshot, variant, digest)
        if key in keys or values is None:
            yield False
            continue
        start = time.perf_counter()
        try:
            field = draw(job.plan, variant, values, job.probe.threads, snapshot.layout)
            cascade = job.probe(field)
        except InputError as error:
            raise UnmeasurableError("unmeasurable", str(error)) from None
        shape = kurtosis(field, thread_count(job.probe.threads))
        row = _row(snapshot, key, cascade, shape, time.perf_counter() - start)
        store.add(row)
        keys.add(key)
        yield True


def _content_name(family: FamilyPlan, snapshot: SnapshotRef) -> str:
    """What a snapshot's values follow from, apart from the state of its files."""
    return json.dumps([*snapshot.name[1:], snapshot.span, family.reading()], sort_keys=True)


def _state(snapshot: SnapshotRef) -> str:
    """Changes whenever the files may have changed, so that unchanged ones need not be read again."""
    if not snapshot.files:
        return json.dumps([snapshot.revision, snapshot.source])
    try:
        stats = [file.stat() for file in snapshot.files]
    except OSError:
        return "unreadable"
    return json.dumps([snapshot.revision, *([stat.st_size, stat.st_mtime_ns] for stat in stats)])


def key_of(snapshot: SnapshotRef, variant: Variant, digest: str) -> tuple[Any, ...]:
    """Key of a cascade in the store: what it is called, and the hash of the contents it was measured from."""
    values = {
        "family": snapshot.family,
        "scale": snapshot.scale,
        "run": snapshot.run,
        "step": snapshot.step,
        "field": snapshot.field,
        "span": snapshot.span or 0,
        "variant": variant.name,
        "replicate": variant.replicate,
        "content_hash": digest,
        "layout_hash": "",
        "probe_hash": variant.probe_hash,
        "seed": variant.seed,
    }
    return tuple(values[name] for name in KEY)


def _row(
    snapshot: SnapshotRef, key: tuple[Any, ...], cascade: Cascade, shape: float, seconds: float
) -> dict[str, Any]:
    return {
        **dict(zip(KEY, key, strict=True)),
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
        "seconds": seconds,
    }
