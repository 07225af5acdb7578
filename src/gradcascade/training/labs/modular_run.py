"""One run of the lab of modular addition: trained from its first step or from where it stopped, and measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradcascade.errors import InputError
from gradcascade.fields.kinds import FIELD_KINDS
from gradcascade.live.fields import FieldMaker, TakenField
from gradcascade.live.tensors import LocalTensors
from gradcascade.training.labs.modular_data import Pairs, modular_pairs
from gradcascade.training.labs.modular_plan import (
    GROKKING,
    RANDOM_ANSWERS,
    SMALL_SHARE,
    TEST_ACCURACY,
    TEST_LOSS,
    TRAINING_ACCURACY,
    TRAINING_LOSS,
    ModularPlan,
)
from gradcascade.training.records import FieldMeasurer, StepRecord
from gradcascade.training.state import Clock, begun, damaged, finish, load_state, save_state
from gradcascade.training.workers import Link, OneRun

if TYPE_CHECKING:
    from torch import Tensor

SAVE_EVERY_SECONDS = 20.0
"""What is measured again after a kill is measured alike, so the state need not follow every measurement."""

BETAS = (0.9, 0.98)
GRADIENT = "gradient"


@dataclass(frozen=True)
class ModularRun(OneRun):
    """One run."""

    family: str
    width: int
    seed: int
    steps: int
    """Most steps; a control makes as many as the run that it belongs to."""
    folder: Path


class ModularTrainer:
    """Makes the runs of one lab, one after another."""

    def __init__(self, plan: ModularPlan) -> None:
        self.plan = plan
        self._measurer = FieldMeasurer(plan.study())

    def run(self, spec: ModularRun, link: Link) -> dict[str, Any] | None:
        """Make one run, or continue it; what came of it, None if it was stopped."""
        import torch

        from gradcascade.training.labs.modular_transformer import ModularTransformer

        plan = self.plan
        if result := begun(spec.folder, self._describe(spec)):
            return result
        share = plan.small_share if spec.family == SMALL_SHARE else plan.share
        parts = modular_pairs(plan.prime, share, spec.seed, random_answers=spec.family == RANDOM_ANSWERS)
        training, test = (_tensors(part) for part in parts)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(spec.seed)
            model = ModularTransformer(plan.prime, spec.width, plan.heads)
        decay = 0.0 if spec.family == SMALL_SHARE else plan.weight_decay
        optimizer = torch.optim.AdamW(model.parameters(), lr=plan.learning_rate, betas=BETAS, weight_decay=decay)
        tensors = LocalTensors(model, optimizer, None)
        maker = FieldMaker(tensors, tensors.describe().description("canonical"))
        first, transition, clock = 0, None, Clock(None, SAVE_EVERY_SECONDS)
        if state := load_state(spec.folder):
            with damaged(spec.folder):
                model.load_state_dict(state["model"])
                optimizer.load_state_dict(state["optimizer"])
                first, transition = int(state["step"]), state["transition"]
                clock = Clock(state, SAVE_EVERY_SECONDS)

        def save(step: int) -> None:
            states = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            save_state(spec.folder, {"step": step, "transition": transition} | states | clock.taken())

        value, step = math.nan, first
        for step in range(first, spec.steps + 1):
            if step > first and clock.due():
                save(step)
            if link.stopped(spec, step, value):
                save(step)
                return None
            logits = model(training[0])
            loss = torch.nn.functional.cross_entropy(logits, training[1])
            value = loss.item()
            if not math.isfinite(value):
                raise InputError(
                    f"the loss of {spec.label} is {value} at step {step}; use a learning rate below "
                    f"{plan.learning_rate:g} and another folder"
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            if step % plan.every == 0:
                metrics = {TRAINING_LOSS: value, TRAINING_ACCURACY: _accuracy(logits, training[1])}
                with torch.no_grad():
                    of_test = model(test[0])
                    metrics[TEST_LOSS] = torch.nn.functional.cross_entropy(of_test, test[1]).item()
                    metrics[TEST_ACCURACY] = _accuracy(of_test, test[1])
                link.keep(spec, self._measured(spec, step, maker, metrics))
                if transition is None and metrics[TEST_ACCURACY] > plan.threshold:
                    transition = step
                if spec.family == GROKKING and transition is not None and step >= transition + plan.after:
                    break
            if step < spec.steps:
                for group in optimizer.param_groups:
                    group["lr"] = plan.learning_rate * min(1.0, (step + 1) / max(1, plan.warmup))
                optimizer.step()
        result = {"transition": transition, "last": step, "loss": value} | clock.taken()
        finish(spec.folder, result)
        return result

    def _measured(self, spec: ModularRun, step: int, maker: FieldMaker, metrics: dict[str, float]) -> StepRecord:
        values, missing = maker.field(FIELD_KINDS[GRADIENT])
        assert values is not None and not missing, f"no gradient of {missing}"
        field = TakenField(GRADIENT, values)
        rows = self._measurer.rows(spec.family, spec.scale, str(spec.seed), step, field, maker.description)
        return StepRecord(step, metrics, (rows,), maker.description)

    def _describe(self, spec: ModularRun) -> dict[str, Any]:
        """Everything that decides a run, as its folder's description."""
        own = {"lab": "modular addition", "family": spec.family, "width": spec.width, "seed": spec.seed}
        every = self.plan.model_dump(mode="json", exclude={"widths", "seeds", "probe", "nulls"})
        return {"run": own, "plan": every | {"steps": spec.steps}}


def _tensors(pairs: Pairs) -> tuple[Tensor, Tensor]:
    import torch

    return torch.from_numpy(pairs.numbers), torch.from_numpy(pairs.answers)


def _accuracy(logits: Tensor, answers: Tensor) -> float:
    return (logits.argmax(-1) == answers).double().mean().item()
