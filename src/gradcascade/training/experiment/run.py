"""One run of an experiment: trained from its first step or from where it stopped, and measured on the way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradcascade.training.corpus import Corpus
from gradcascade.training.experiment.fields import StepFields
from gradcascade.training.experiment.optimizers import OPTIMIZERS
from gradcascade.training.experiment.plan import Condition, ExperimentPlan
from gradcascade.training.records import FieldMeasurer, StepRecord
from gradcascade.training.run import held_out_loss, new_model
from gradcascade.training.state import Clock, begun, damaged, finish, load_state, save_state
from gradcascade.training.workers import Link, OneRun

LOSS, PERPLEXITY = "loss", "perplexity"
"""Metrics of the study: held-out cross-entropy in nats per byte, and its exponential."""

OTHER_BATCHES = 1 << 32
"""Batches of a mean gradient beside the first have numbers that no step has."""


@dataclass(frozen=True)
class RunSpec(OneRun):
    """One run, or one trial of a rate."""

    condition: Condition
    width: int
    seed: int
    rate: float
    measured: tuple[int, ...]
    """Steps at which fields are measured; none in a trial."""
    folder: Path

    @property
    def family(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Its family in the study."""
        return self.condition.family


class Trainer:
    """Makes the runs of one experiment, one after another."""

    def __init__(self, plan: ExperimentPlan, corpus: Corpus, threads: int = 1) -> None:
        self.plan, self.corpus = plan, corpus
        self._measurer = FieldMeasurer(plan.study(), threads)

    def finished(self, spec: RunSpec) -> dict[str, Any] | None:
        """What came of a run that was made before; None if it is to be made. A folder of another run is refused."""
        return begun(spec.folder, self._describe(spec))

    def run(self, spec: RunSpec, link: Link) -> dict[str, Any] | None:
        """Make one run, or continue it; what came of it, None if it was stopped."""
        import torch

        plan = self.plan
        if made := self.finished(spec):
            return made
        device = torch.device(plan.device)
        model = new_model(spec.width, plan.context, spec.seed).to(device)
        optimizers = OPTIMIZERS[spec.condition.optimizer].make(model, spec.rate, plan.weight_decay)
        fields = StepFields(plan, spec.condition.optimizer, model, optimizers, spec.measured)
        first, clock = 0, Clock(None)
        if state := load_state(spec.folder):
            with damaged(spec.folder):
                model.load_state_dict(state["model"])
                for own, kept in zip(optimizers, state["optimizers"], strict=True):
                    own.load_state_dict(kept)
                fields.restore(state["before"])
                first, clock = int(state["step"]), Clock(state)
        held_out = torch.from_numpy(self.corpus.evaluation(plan.evaluation, plan.context)).to(device)

        def save(step: int) -> None:
            states = [own.state_dict() for own in optimizers]
            where = {"step": step, "model": model.state_dict(), "optimizers": states, "before": fields.state()}
            save_state(spec.folder, where | clock.taken())

        def gradients(number: int) -> float:
            batch = self.corpus.batch(spec.seed, number, plan.batch, plan.context)
            loss = model.loss(torch.from_numpy(batch).to(device))
            loss.backward()
            return loss.item()

        value, loss, diverged = math.nan, math.inf, None
        for step in range(first, plan.steps + 1):
            # What is measured is kept before the state of the next step is: whatever the moment of a kill, the
            # study has everything of the steps before the state's.
            if step > first and clock.due(step - 1 in spec.measured):
                save(step)
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
                named, described = (spec.family, spec.scale, str(spec.seed)), fields.maker.description
                rows = tuple(self._measurer.rows(*named, step, field, described) for field in taken)
                link.keep(spec, StepRecord(step, metrics_of(loss), rows, described))
            if step < plan.steps:
                torch.nn.utils.clip_grad_norm_(model.parameters(), plan.clip)
                for own in optimizers:
                    for group in own.param_groups:
                        group["lr"] = spec.rate * plan.factor(spec.condition.schedule, step)
                    own.step()
        if diverged is None:
            loss = held_out_loss(model, held_out, plan.batch)
        result: dict[str, Any] = {
            "loss": loss if diverged is None and math.isfinite(loss) else None,
            "diverged_at": diverged,
        } | clock.taken()
        finish(spec.folder, result)
        return result

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


def metrics_of(loss: float | None) -> dict[str, float]:
    """What the study keeps of a held-out loss; nothing of one that is not finite."""
    if loss is None or not math.isfinite(loss):
        return {}
    return {LOSS: loss, PERPLEXITY: math.exp(loss) if loss < 700 else math.inf}
