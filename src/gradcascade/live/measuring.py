"""Measures fields that were taken from a model, and keeps them as a study if there is one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradcascade.fields.nulls import NULLS
from gradcascade.fields.statistics import content_hash
from gradcascade.live.fields import Field, TakenField
from gradcascade.live.measurement import MeasuredField, Measurement, measured_field
from gradcascade.probe.relaxation import Probe
from gradcascade.sources.base import Description, SnapshotRef
from gradcascade.sources.contents import Described, Fields
from gradcascade.study.contents import keep_contents
from gradcascade.study.plan import Plan
from gradcascade.study.snapshot import Job, UnmeasurableError, cascade_of, key_of, layout_hash_of, row_of
from gradcascade.study.store import KEY, Contents
from gradcascade.study.study import Study
from gradcascade.study.variants import Variant, variants_of
from gradcascade.vocabulary import REAL

SOURCE = "live"
"""What stands for the files of a measurement in a study."""


@dataclass(frozen=True)
class LiveReader:
    """Stands for the file that a recorded field would be read from."""

    values: Field
    description: Description

    def __call__(self) -> Field:
        """The field."""
        return self.values

    def describe(self) -> Description:
        """What is in it."""
        return self.description


@dataclass(frozen=True)
class LiveRun:
    """Which training is measured, by which plan, and into which study."""

    plan: Plan
    scale: str
    run: str
    probe: Probe
    study: Path | None

    def snapshot(self, field: TakenField, step: int, description: Description) -> SnapshotRef:
        """A field under the name that it has in a study."""
        reader = LiveReader(field.values, description)
        named = (self.plan.families[0].name, self.scale, step, field.kind)
        return SnapshotRef(*named, (), SOURCE, SOURCE, reader, run=self.run, span=field.span)


@dataclass(frozen=True)
class MeasuredRows:
    """The cascades of a field, as rows of a store."""

    rows: list[dict[str, Any]]
    contents: Contents


Drawn = dict[tuple[int, Variant], dict[str, Any]]
"""What was measured of nulls that depend on the number of entries alone."""


def measured_rows(
    snapshot: SnapshotRef, jobs: Sequence[Job], values: Field, drawn: Drawn | None = None
) -> MeasuredRows:
    """Measure a field and its nulls; what ``drawn`` has of the nulls is not measured again."""
    contents = Contents(content_hash(values), layout_hash_of(snapshot))
    rows = []
    for job in jobs:
        variant = job.variant
        alike = variant.name != REAL and not NULLS[variant.name].needs_values
        known = drawn.get((len(values), variant)) if drawn is not None and alike else None
        if known is not None:
            row = {**known, **dict(zip(KEY, key_of(snapshot, variant, contents), strict=True)), "seconds": 0.0}
        else:
            row = row_of(snapshot, job, values, contents)
        if drawn is not None and alike:
            drawn[len(values), variant] = row
        rows.append(row)
    return MeasuredRows(rows, contents)


@dataclass
class Taken:
    """Everything that was taken at one step."""

    step: int
    moment: str
    loss_scale: float
    description: Description
    fields: list[TakenField]
    start: float
    """When taking began, by the clock of performance."""


class Measurer:
    """Measures what was taken, in one thread, which alone uses the store."""

    def __init__(self, run: LiveRun) -> None:
        self._run = run
        self._open: Study | None = None

    def measure(self, taken: Taken) -> Measurement:
        """Measure all fields of a step; those that cannot be measured are skipped, with the reason."""
        start = time.perf_counter()
        found: dict[str, MeasuredField] = {}
        skipped: dict[str, str] = {}
        for field in taken.fields:
            try:
                found[field.kind] = self._field(field, taken)
            except UnmeasurableError as error:
                skipped[field.kind] = str(error)
        seconds = time.perf_counter() - start
        return Measurement(taken.step, taken.moment, found, taken.loss_scale, seconds, 0.0, skipped)

    def _field(self, field: TakenField, taken: Taken) -> MeasuredField:
        start = time.perf_counter()
        snapshot = self._run.snapshot(field, taken.step, taken.description)
        jobs = [Job(self._run.plan, self._run.probe, variant) for variant in variants_of(self._run.plan, taken.step)]
        if self._run.study is None:
            cascades = [vars(cascade_of(snapshot, job, field.values)[1]) for job in jobs]
        else:
            cascades = self._rows(snapshot, jobs, field.values)
        named = [(job.variant.name, found) for job, found in zip(jobs, cascades, strict=True)]
        return measured_field(field.kind, named, field.span, time.perf_counter() - start)

    def _rows(self, snapshot: SnapshotRef, jobs: list[Job], values: Field) -> list[dict[str, Any]]:
        """Measure a field and keep it."""
        store = self._study(snapshot).store
        try:
            found = measured_rows(snapshot, jobs, values)
        except UnmeasurableError as error:
            store.refuse(snapshot.name, snapshot.span, error.code, str(error))
            raise
        conventions = self._run.plan.families[0].conventions(snapshot.scale, snapshot.run)
        store.keep(found.rows, snapshot.name, snapshot.span, found.contents, conventions)
        return found.rows

    def _study(self, snapshot: SnapshotRef) -> Study:
        """The study, opened when something is to be kept."""
        if self._open is None:
            assert self._run.study is not None
            self._open = Study.create(self._run.study, self._run.plan)
            description = snapshot.describe()
            assert description is not None
            family = self._run.plan.families[0]
            named = [Fields(family.name, snapshot.scale, snapshot.run, kind) for kind in family.fields]
            keep_contents(self._run.study, dict.fromkeys(named, Described(snapshot, description)))
        return self._open

    def close(self) -> None:
        """Close the study."""
        if self._open is not None:
            self._open.close()
            self._open = None
