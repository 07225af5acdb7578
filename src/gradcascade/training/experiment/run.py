"""One run of an experiment: trained from its first step or from where it stopped, and measured on the way."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from gradcascade.live.fields import TakenField
from gradcascade.live.measuring import SOURCE, Drawn, LiveReader, MeasuredRows, measured_rows
from gradcascade.sources.base import Description, SnapshotRef
from gradcascade.study.snapshot import Job, UnmeasurableError
from gradcascade.study.variants import make_probe, variants_of
from gradcascade.training.corpus import Corpus
from gradcascade.training.experiment.fields import StepFields
from gradcascade.training.experiment.optimizers import OPTIMIZERS
from gradcascade.training.experiment.plan import Condition, ExperimentPlan
from gradcascade.training.run import held_out_loss, new_model
from gradcascade.training.state import (
    FINISHED,
    SAVE_EVERY_SECONDS,
    claim,
    damaged,
    finish,
    load_state,
    save_state,
)

OTHER_BATCHES = 1 << 32
"""Batches of a mean gradient beside the first have numbers that no step has."""


@dataclass(frozen=True)
class RunSpec:
    """One run, or one trial of a rate."""

    condition: Condition
    width: int
    seed: int
    rate: float
    measured: tuple[int, ...]
    """Steps at which fields are measured; none in a trial."""
    folder: Path

    @property
    def scale(self) -> str:
        """Its scale in the study."""
        return f"d{self.width}"

    @property
    def label(self) -> str:
        """What it is called for users."""
        return f"{self.condition.family} {self.scale} seed {self.seed}"


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
    loss: float
    """Held-out, in nats per byte."""
    fields: tuple[StepRows, ...]
    description: Description | None = None


class Link(Protocol):
    """The other side of a run."""

    def keep(self, spec: RunSpec, record: StepRecord) -> None:
        """Keep what was measured; it is kept when this returns."""
        ...

    def stopped(self, spec: RunSpec, step: int, loss: float) -> bool:
        """Tell the step that is under way; whether the run is to stop here."""
        ...


class Trainer:
    """Makes the runs of one experiment, one after another."""

    def __init__(self, plan: ExperimentPlan, corpus: Corpus, threads: int = 1) -> None:
        self.plan, self.corpus = plan, corpus
        self._study = plan.study()
        self._families = {family.name: family for family in self._study.families}
        self._probe = make_probe(self._study, threads=threads)
        self._drawn: Drawn = {}

    def run(self, spec: RunSpec, link: Link) -> dict[str, Any] | None:
        """Make one run, or continue it; what came of it, None if it was stopped."""
        import torch

        plan = self.plan
        claim(spec.folder, self._describe(spec))
        finished = spec.folder / FINISHED
        if finished.exists():
            return json.loads(finished.read_bytes())
        device = torch.device(plan.device)
        model = new_model(spec.width, plan.context, spec.seed).to(device)
        optimizers = OPTIMIZERS[spec.condition.optimizer].make(model, spec.rate, plan.weight_decay)
        fields = StepFields(plan, spec.condition.optimizer, model, optimizers, spec.measured)
        first, used, cpu = 0, 0.0, 0.0
        if state := load_state(spec.folder):
            with damaged(spec.folder):
                model.load_state_dict(state["model"])
                for own, kept in zip(optimizers, state["optimizers"], strict=True):
                    own.load_state_dict(kept)
                fields.restore(state["before"])
                first, used, cpu = int(state["step"]), float(state["seconds"]), float(state["cpu_seconds"])
        held_out = torch.from_numpy(self.corpus.evaluation(plan.evaluation, plan.context)).to(device)
        started, began, saved = time.monotonic(), time.process_time(), time.monotonic()

        def save(step: int) -> None:
            states = [own.state_dict() for own in optimizers]
            taken = {"seconds": used + time.monotonic() - started, "cpu_seconds": cpu + time.process_time() - began}
            where = {"step": step, "model": model.state_dict(), "optimizers": states, "before": fields.state()}
            save_state(spec.folder, where | taken)

        def gradients(number: int) -> float:
            batch = self.corpus.batch(spec.seed, number, plan.batch, plan.context)
            loss = model.loss(torch.from_numpy(batch).to(device))
            loss.backward()
            return loss.item()

        value, loss, diverged = math.nan, math.inf, None
        for step in range(first, plan.steps + 1):
            # What is measured is kept before the state of the next step is: whatever the moment of a kill, the
            # study has everything of the steps before the state's.
            if step > first and (step - 1 in spec.measured or time.monotonic() - saved > SAVE_EVERY_SECONDS):
                save(step)
                saved = time.monotonic()
            if link.stopped(spec, step, value):
                save(step)
                return None
            model.zero_grad(set_to_none=True)
            value = gradients(step)
            if not math.isfinite(value):
                diverged = step
                break
            fields.remember(step)
            if step in spec.measured:
                loss = held_out_loss(model, held_out, plan.batch)
                taken = fields.take(step, lambda other, step=step: gradients(other * OTHER_BATCHES + step))
                rows = tuple(self._measure(spec, step, field, fields.maker.description) for field in taken)
                link.keep(spec, StepRecord(step, loss, rows, fields.maker.description))
            if step < plan.steps:
                torch.nn.utils.clip_grad_norm_(model.parameters(), plan.clip)
                for own in optimizers:
                    for group in own.param_groups:
                        group["lr"] = spec.rate * plan.factor(spec.condition.schedule, step)
                    own.step()
        if diverged is None:
            loss = held_out_loss(model, held_out, plan.batch)
        result = {
            "loss": loss if diverged is None and math.isfinite(loss) else None,
            "diverged_at": diverged,
            "seconds": round(used + time.monotonic() - started, 3),
            "cpu_seconds": round(cpu + time.process_time() - began, 3),
        }
        finish(spec.folder, result)
        return result

    def _measure(self, spec: RunSpec, step: int, field: TakenField, description: Description) -> StepRows:
        named = (spec.condition.family, spec.scale, step, field.kind)
        reader = LiveReader(field.values, description)
        snapshot = SnapshotRef(*named, (), SOURCE, SOURCE, reader, run=str(spec.seed), span=field.span)
        jobs = [Job(self._study, self._probe, variant) for variant in variants_of(self._study, step)]
        plain = SnapshotRef(*named, (), SOURCE, SOURCE, _nothing, run=str(spec.seed), span=field.span)
        try:
            return StepRows(plain, measured_rows(snapshot, jobs, field.values, self._drawn))
        except UnmeasurableError as error:
            return StepRows(plain, None, (error.code, str(error)))

    def _describe(self, spec: RunSpec) -> dict[str, Any]:
        """Everything that decides a run, as its folder's description."""
        plan = self.plan
        return {
            "experiment": {
                "optimizer": spec.condition.optimizer,
                "schedule": spec.condition.schedule,
                "learning_rate": spec.rate,
                "width": spec.width,
                "seed": spec.seed,
                "measured": list(spec.measured),
            },
            "data": {"name": self.corpus.name, "sha256": self.corpus.sha256},
        } | {
            "plan": plan.model_dump(
                mode="json",
                include={"steps", "warmup", "batch", "context", "clip", "weight_decay", "evaluation", "device"},
            )
        }


def _nothing() -> Any:
    """Stands for the values of a field that was measured and not kept."""
    raise AssertionError("the values of a live field are not kept")
