"""Measures fields that were taken from a model, and keeps them as a study if there is one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.fields.statistics import content_hash
from gradcascade.live.fields import TakenField
from gradcascade.live.measurement import MeasuredField, Measurement, measured_field
from gradcascade.probe.relaxation import Probe
from gradcascade.sources.base import Description, SnapshotRef
from gradcascade.study.plan import FamilyPlan, Plan
from gradcascade.study.snapshot import Job, UnmeasurableError, layout_hash_of, row_of
from gradcascade.study.store import Contents
from gradcascade.study.study import Study
from gradcascade.study.variants import variants_of

REVISION = "live"


@dataclass(frozen=True)
class LiveReader:
    """Stands for the file that a recorded field would be read from."""

    values: NDArray[np.floating]
    description: Description

    def __call__(self) -> NDArray[np.floating]:
        """The field."""
        return self.values

    def describe(self) -> Description:
        """What is in it."""
        return self.description


@dataclass(frozen=True)
class Run:
    """Which training is measured, by which plan."""

    plan: Plan
    scale: str
    run: str
    probe: Probe
    study: Path | None

    @property
    def family(self) -> FamilyPlan:
        """The only family of the plan."""
        return self.plan.families[0]


@dataclass
class Taken:
    """Everything taken at one step."""

    step: int
    moment: str
    fields: list[TakenField]
    loss_scale: float
    description: Description


class Measurer:
    """Measures what was taken, always in one and the same thread, which alone uses the store."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._open: Study | None = None

    def measure(self, taken: Taken) -> Measurement:
        """Measure all fields of a step; fields that are not finite are skipped, and their reasons kept."""
        start = time.perf_counter()
        found: dict[str, MeasuredField] = {}
        skipped: dict[str, str] = {}
        for field in taken.fields:
            try:
                found[field.kind] = self._field(field, taken)
            except UnmeasurableError as error:
                if np.isfinite(field.values).all():
                    raise InputError(str(error)) from None
                skipped[field.kind] = str(error)
        seconds = time.perf_counter() - start
        return Measurement(taken.step, taken.moment, found, taken.loss_scale, seconds, seconds, skipped)

    def _field(self, field: TakenField, taken: Taken) -> MeasuredField:
        run = self._run
        reader = LiveReader(field.values, taken.description)
        snapshot = SnapshotRef(
            run.family.name,
            run.scale,
            taken.step,
            field.kind,
            (),
            f"live: {taken.moment}",
            REVISION,
            reader,
            run=run.run,
            span=field.span,
        )
        study = self._study()
        jobs = [Job(run.plan, run.probe, variant) for variant in variants_of(run.plan, taken.step)]
        if study is None:
            return measured_field(
                field.kind, [row_of(snapshot, job, field.values, Contents("")) for job in jobs], field.span
            )
        contents = Contents(content_hash(field.values), layout_hash_of(snapshot))
        try:
            rows = [row_of(snapshot, job, field.values, contents) for job in jobs]
        except UnmeasurableError as error:
            study.store.refuse(snapshot.name, field.span, error.code, str(error))
            raise
        for row in rows:
            study.store.add(row)
        study.store.set_current(snapshot.name, field.span, contents, run.family.conventions(run.scale, run.run))
        return measured_field(field.kind, rows, field.span)

    def _study(self) -> Study | None:
        if self._run.study is None:
            return None
        if self._open is None:
            self._open = Study.create(self._run.study, self._run.plan)
        return self._open

    def close(self) -> None:
        """Close the study."""
        if self._open is not None:
            self._open.close()
            self._open = None
