"""What a training measures at a step: made where it trains, kept by the one process that writes the study."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from gradcascade.live.fields import TakenField
from gradcascade.live.measuring import SOURCE, Drawn, LiveReader, MeasuredRows, measured_rows
from gradcascade.sources.base import Description, SnapshotRef
from gradcascade.sources.contents import Described, Fields
from gradcascade.study.contents import keep_contents
from gradcascade.study.plan import Plan
from gradcascade.study.snapshot import Job, UnmeasurableError
from gradcascade.study.store import METRIC_COLUMNS
from gradcascade.study.study import Study
from gradcascade.study.variants import make_probe, variants_of


@dataclass(frozen=True)
class StepRows:
    """What was measured of one field, for the study, or why it could not be."""

    snapshot: SnapshotRef
    rows: MeasuredRows | None
    refused: tuple[str, str] | None = None


@dataclass(frozen=True)
class StepRecord:
    """Everything measured at one step."""

    step: int
    metrics: Mapping[str, float]
    """Performance by name of the metric; NaN is not kept."""
    fields: tuple[StepRows, ...]
    description: Description | None = None


class FieldMeasurer:
    """Measures fields and their nulls as a plan says, in the process that trains."""

    def __init__(self, plan: Plan, threads: int = 1) -> None:
        self._plan, self._probe = plan, make_probe(plan, threads=threads)
        self._drawn: Drawn = {}

    def rows(
        self, family: str, scale: str, run: str, step: int, field: TakenField, description: Description
    ) -> StepRows:
        """Measure a field of a run at a step."""
        named = (family, scale, step, field.kind)
        reader = LiveReader(field.values, description)
        snapshot = SnapshotRef(*named, (), SOURCE, SOURCE, reader, run=run, span=field.span)
        jobs = [Job(self._plan, self._probe, variant) for variant in variants_of(self._plan, step)]
        plain = SnapshotRef(*named, (), SOURCE, SOURCE, _nothing, run=run, span=field.span)
        try:
            return StepRows(plain, measured_rows(snapshot, jobs, field.values, self._drawn))
        except UnmeasurableError as error:
            return StepRows(plain, None, (error.code, str(error)))


class Keeper:
    """Keeps what trainings measured in a study; ``spans`` are those of every update."""

    def __init__(self, study: Study, spans: tuple[int, ...] = ()) -> None:
        self._study, self._spans = study, spans
        self._families = {family.name: family for family in study.plan.families}
        self._described: set[tuple[str, str, str]] = set()

    def keep(self, family: str, scale: str, run: str, record: StepRecord) -> None:
        """Keep everything measured at a step of a run."""
        plan = self._families[family]
        conventions, store = plan.conventions(scale, run), self._study.store
        for own in record.fields:
            at = own.snapshot
            spans = (None,) if at.span is None else self._spans
            if own.rows is not None:
                store.keep(own.rows.rows, at.name, at.span, own.rows.contents, conventions, spans)
            elif own.refused is not None:
                store.refuse(at.name, at.span, *own.refused, spans)
        self.metrics(family, scale, run, record.step, record.metrics)
        key = (family, scale, run)
        if key not in self._described and record.description is not None and record.fields:
            self._described.add(key)
            described = Described(record.fields[0].snapshot, record.description)
            keep_contents(self._study.folder, {Fields(*key, kind): described for kind in plan.fields})

    def metrics(self, family: str, scale: str, run: str, step: int, metrics: Mapping[str, float]) -> None:
        """Keep performance numbers of a step of a run."""
        rows = [(family, scale, run, step, name, value) for name, value in metrics.items() if not math.isnan(value)]
        if rows:
            self._study.store.put_metrics(pl.DataFrame(rows, schema=list(METRIC_COLUMNS), orient="row"))


def _nothing() -> Any:
    """Stands for the values of a field that was measured and not kept."""
    raise AssertionError("the values of a live field are not kept")
