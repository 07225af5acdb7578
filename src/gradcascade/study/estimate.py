"""What measuring a plan takes: bytes, disk, and time by a short probe run on this machine."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gradcascade.errors import InputError
from gradcascade.fields.drawing import null
from gradcascade.fields.statistics import content_hash, kurtosis
from gradcascade.probe import capacity
from gradcascade.sources.base import FIELDS, MEAN_GRADIENT, UPDATE, RunName
from gradcascade.sources.contents import Fields, describe_fields, refuse_differing
from gradcascade.sources.hub_source import HubSource
from gradcascade.study.contents import FieldContents, copies_in, rows_of
from gradcascade.study.plan import Plan
from gradcascade.study.quarantine import quarantined
from gradcascade.study.runner import open_source
from gradcascade.study.variants import draw, make_probe, variants_of

PROBED = 2_359_296
"""Entries of the probe run where a field has as many: 64 times 192 squared."""


@dataclass(frozen=True)
class Group:
    """Snapshots of one family, run and kind of field."""

    name: str
    steps: tuple[int, ...]


@dataclass(frozen=True)
class Estimate:
    """What measuring a plan takes."""

    groups: tuple[Group, ...]
    contents: tuple[FieldContents, ...]
    """What is in the fields, where that is known before they are read."""
    copies: tuple[str, ...]
    """Checkpoints that are left out since they hold a step again."""
    snapshots: int
    cascades: int
    read: int
    """Bytes."""
    files: int | None
    """Files to fetch from the hub; None if no family of the plan is there."""
    fetched: int
    """Bytes of these, estimated from the files of one step of each scale."""
    small: int
    """Evaluation results and configurations to fetch besides: a few bytes each, not counted in ``files``."""
    held: int
    """Bytes of downloads on disk at the peak."""
    memory: int
    """Bytes of fields in memory at the peak: of one, or of the next too where it is fetched meanwhile."""
    seconds: float
    """Time of the probe run, in proportion to the entries."""
    largest: float
    """The share of the largest snapshot in it."""
    probed: int
    """Entries of the probe run."""


@dataclass(frozen=True)
class Overlap:
    """Seconds of downloads at a rate, and of all if the next snapshot is fetched while one is measured."""

    fetching: float
    total: float


def overlap(found: Estimate, rate: float) -> Overlap:
    """How long measuring takes at a rate of downloads, in bytes a second.

    Beside the slower of the two it takes what cannot overlap: the first download and the last measurement.
    """
    fetching = found.fetched / rate
    ends = found.held / rate + found.largest * found.seconds
    return Overlap(fetching, min(max(fetching, found.seconds) + ends, fetching + found.seconds))


def estimate(plan: Plan, study: Path, threads: int | None = None, quarantine: Path | None = None) -> Estimate:
    """What measuring a plan takes if nothing of it is measured yet, without snapshots in quarantine."""
    steps: dict[str, list[int]] = {}
    entries: list[int] = []
    sizes: list[int] = []
    """The same, exactly where that is known: a file holds a little more than its field."""
    read = fetched = files = small = held = sums = 0
    remote = False
    sources = [(family, open_source(study, family)) for family in plan.families]
    there = [snapshot for _, source in sources for snapshot in source.snapshots()]
    left_out = quarantined(study, sources, there, quarantine)
    kept = {s for s in there if s.name not in left_out}
    described = describe_fields(snapshot for snapshot in there if snapshot in kept)
    for snapshot in (s for s in there if s in kept):
        run = RunName(snapshot.scale, snapshot.run)
        steps.setdefault(f"{snapshot.family} / {run} / {snapshot.field}", []).append(snapshot.step)
        size = sum(file.stat().st_size for file in snapshot.files)
        read += size
        if snapshot.files:  # float32, of two checkpoints or of one file; an optimizer's holds more than its field
            known = described.get(Fields(snapshot.family, snapshot.scale, snapshot.run, snapshot.field))
            by_size = size // (8 if snapshot.field == UPDATE else 4)
            entries.append(known.description.entries if known and snapshot.field not in FIELDS else by_size)
            sizes.append(known.description.entries if known else by_size)
    for _, source in sources:
        if isinstance(source, HubSource):
            remote = True
            for found in source.found:
                own = [snapshot for snapshot in found.snapshots if snapshot in kept]
                entries += [found.entries] * len(own)
                sizes += [found.entries] * len(own)
                fetched += found.downloads(own) * found.size
                files += found.downloads(own) * found.files
                small += len(found.run.small)
                if any(snapshot.field == MEAN_GRADIENT for snapshot in own):
                    sums = max(sums, 8 * found.entries)  # in double precision, before it is a field
                held = max(held, min(found.held, found.downloads(own)) * found.size)
    refuse_differing(described)
    copies = copies_in(source for _, source in sources)
    if there and not kept:
        raise InputError(f"all {len(there)} snapshots of the plan are in quarantine; nothing is left to measure")
    if not entries:
        raise InputError("the plan has nothing to measure; name a source with snapshots")
    capacity.check_entries(max(sizes), plan.probe.graph)
    probed = max(1_000, min(PROBED, max(entries)))
    variants = len(variants_of(plan, 0))
    return Estimate(
        groups=tuple(Group(name, tuple(found)) for name, found in sorted(steps.items())),
        contents=tuple(rows_of(described, copies)),
        copies=tuple(f"{RunName(*name[1:])}/{path}" for name, paths in copies.items() for path in paths),
        snapshots=len(entries),
        cascades=len(entries) * variants,
        read=read + fetched,
        files=files if remote else None,
        fetched=fetched,
        small=small,
        held=held,
        memory=(8 if remote else 4) * max(entries) + sums,
        largest=max(entries) / sum(entries),
        seconds=_seconds(plan, probed, threads) * sum(entries) / probed,
        probed=probed,
    )


def _seconds(plan: Plan, n: int, threads: int | None) -> float:
    """Time of measuring one snapshot of n entries: hash, nulls, cascades and statistics, the graph at hand."""
    probe = make_probe(plan, threads=threads)
    field = _like_a_gradient(n, threads)
    probe(field)  # builds the graph, compiles
    start = time.perf_counter()
    content_hash(field)
    for variant in variants_of(plan, 0):
        drawn = draw(plan, variant, field, probe.threads, lambda: (("field", n),))
        probe(drawn)
        kurtosis(drawn)
    return time.perf_counter() - start


def cascade_seconds(plan: Plan, n: int) -> float:
    """Seconds that this thread computes for one cascade of n entries and its statistics, the graph at hand."""
    probe = make_probe(plan, threads=1)
    field = _like_a_gradient(n, 1)
    probe(field)  # builds the graph, compiles
    start = time.thread_time()
    probe(field)
    kurtosis(field)
    return time.thread_time() - start


def _like_a_gradient(n: int, threads: int | None) -> np.ndarray:
    """Gradients have heavier tails than normal numbers.

    Cascades of their cubes last 21 steps at 600,000 entries and those of normal ones 7; recorded gradients of small
    models gave 15 to 38.
    """
    return null("N0", n, seed=1, threads=threads).astype(np.float32) ** 3
