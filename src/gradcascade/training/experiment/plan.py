"""The plan of an experiment: matched runs by optimizer, schedule, scale and seed, and what is measured of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from gradcascade.planfiles import Strict, read_toml, validated
from gradcascade.study.plan import FamilyPlan, Kind, NullPlan, Plan, ProbePlan
from gradcascade.training.experiment.optimizers import OPTIMIZERS

UPDATE, MEAN_GRADIENT = "update", "mean-gradient"

SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "cosine": lambda done: 0.1 + 0.45 * (1 + math.cos(math.pi * done)),
    "linear": lambda done: 1.0 - done,
}
"""Factor of the peak rate by the share of the steps after the warm-up that are done. Cosine ends at a tenth."""


def _one_of(known: dict[str, Any], what: str) -> AfterValidator:
    def check(name: str) -> str:
        if name not in known:
            raise ValueError(f"there is no {what} of this name; choose from {', '.join(known)}")
        return name

    return AfterValidator(check)


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values or len(set(values)) < len(values):
        raise ValueError("name at least one, and each once")
    return values


def _ascending(values: tuple[int, ...]) -> tuple[int, ...]:
    if list(values) != sorted(values):
        raise ValueError("they must ascend")
    return values


OptimizerName = Annotated[str, _one_of(OPTIMIZERS, "optimizer")]
ScheduleName = Annotated[str, _one_of(SCHEDULES, "schedule")]
Distinct = AfterValidator(_distinct)
Ascending = AfterValidator(_ascending)
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class TuningPlan(Strict):
    """How the peak rate of each optimizer and schedule is found, on the smallest scale."""

    seed: int = Field(default=1000, ge=0)
    """Of weights and batches, another one than those of the runs."""
    factor: float = Field(default=2.0, gt=1, le=10)
    """Between neighbouring rates."""
    rates: int = Field(default=5, ge=1, le=21)
    """How many are tried at first, in the middle of which lies the one of the optimizer."""
    further: int = Field(default=6, ge=0, le=20)
    """How many more are tried, one after another, while the best is the lowest or the highest."""
    transfer: Literal["width", "same"] = "width"
    """To larger scales: in proportion to the optimizer's power of the width, or the same rate."""
    check: bool = True
    """Whether neighbouring rates are tried at the largest scale too, to say what the transfer costs an optimizer;
    the runs keep the rates of the rule."""


class ExperimentPlan(Strict):
    """Everything an experiment was asked."""

    optimizers: Annotated[tuple[OptimizerName, ...], Distinct] = ("adamw", "sgd-momentum")
    schedules: Annotated[tuple[ScheduleName, ...], Distinct] = ("constant",)
    """After the warm-up: constant, cosine (to a tenth of the peak) or linear (to zero)."""
    kinds: Annotated[tuple[Kind, ...], Distinct] = ("gradient", "mean-gradient", "momentum", "direction", "update")
    spans: Annotated[tuple[Count, ...], Distinct, Ascending] = (1, 2, 5, 10, 20, 50)
    """Optimizer steps that the updates cover which end at a measured step."""
    batches: int = Field(default=8, ge=2)
    """Of the mean gradient, of which the first is the gradient's own."""
    widths: Annotated[tuple[int, ...], Distinct, Ascending] = (24, 48, 72, 96, 120, 144)
    """d_model of each scale; N is 64 times its square."""
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Distinct] = (0, 1, 2, 3)
    """A run each; runs of one seed and width begin with the same weights and see the same batches."""
    steps: Count = 120
    warmup: int = Field(default=10, ge=0)
    """Steps in which the rate rises linearly."""
    measured: Annotated[tuple[Count, ...], Distinct, Ascending] = (64, 72, 80, 88, 96, 104, 112, 120)
    """Optimizer steps made when fields are measured."""
    batch: Count = 8
    """Sequences."""
    context: int = Field(default=32, ge=2)
    """Bytes to predict in a sequence."""
    clip: Positive = 1.0
    """Largest norm of the whole gradient that an optimizer sees; gradients are measured before."""
    weight_decay: float = Field(default=0.01, ge=0, allow_inf_nan=False)
    """Decoupled, of optimizers that have it (adamw, muon)."""
    evaluation: Count = 64
    """Held-out sequences on which losses are measured."""
    text: tuple[str, ...] = ()
    """Files to learn from, as seen from the plan; none means the sources of Python's standard library."""
    device: str = "cpu"
    learning_rates: dict[OptimizerName, Positive] = Field(default_factory=dict)
    """Peak rates at the smallest scale of optimizers that are not tuned."""
    tuning: TuningPlan = TuningPlan()
    probe: ProbePlan = ProbePlan()
    nulls: NullPlan = NullPlan(kinds=("N0", "N2"), replicates=2)

    @model_validator(mode="after")
    def _fits(self) -> ExperimentPlan:
        for width in self.widths:
            if width < 24 or width % 24:
                raise ValueError(f"model width {width} is not a multiple of 24; choose such as 24, 48, 96 or 192")
        last = self.measured[-1]
        if last > self.steps:
            raise ValueError(f"step {last} is to be measured, and there are {self.steps} steps; raise steps")
        if UPDATE in self.kinds and self.spans[-1] > self.measured[0]:
            raise ValueError(
                f"an update of {self.spans[-1]} steps cannot end at step {self.measured[0]}; measure later steps, or "
                "leave the span out"
            )
        if self.warmup > self.steps:
            raise ValueError(f"the warm-up of {self.warmup} steps is longer than the {self.steps} steps")
        if self.tuning.seed in self.seeds:
            raise ValueError(f"the tuning's seed {self.tuning.seed} is that of a run; give it another")
        if odd := [name for name in self.learning_rates if name not in self.optimizers]:
            raise ValueError(f"learning_rates has {odd[0]}, which is not among the optimizers; leave it out")
        for name in self.optimizers:
            if not self.fields_of(name):
                raise ValueError(f"{name} has none of the kinds of field {', '.join(self.kinds)}; add gradient")
        return self

    @classmethod
    def quick(cls) -> ExperimentPlan:
        """Three small scales, two seeds, few steps: a test of the whole way, not a measurement."""
        return cls(
            spans=(1, 2, 5, 10),
            batches=4,
            widths=(24, 48, 72),
            seeds=(0, 1),
            steps=40,
            warmup=8,
            measured=(20, 25, 30, 35, 40),
            batch=4,
            context=32,
            evaluation=32,
            tuning=TuningPlan(rates=3, further=2),
            nulls=NullPlan(kinds=("N0", "N2"), replicates=1),
        )

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Every optimizer with every schedule."""
        return tuple(Condition(name, schedule) for name in self.optimizers for schedule in self.schedules)

    def fields_of(self, optimizer: str) -> tuple[str, ...]:
        """The kinds of field asked for that an optimizer has."""
        own = OPTIMIZERS[optimizer].kinds
        return tuple(kind for kind in self.kinds if kind not in ("momentum", "direction") or kind in own)

    def factor(self, schedule: str, step: int) -> float:
        """Share of the peak rate in the update that follows ``step`` updates."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        return SCHEDULES[schedule]((step - self.warmup) / max(1, self.steps - self.warmup))

    def study(self) -> Plan:
        """The plan of the study that keeps the measurements: a family for each condition."""
        families = tuple(
            FamilyPlan(
                name=own.family,
                path=".",  # its fields lie nowhere
                fields=self.fields_of(own.optimizer),
                order="file",  # as the demo's and Pico-LM's
                window=(self.measured[0], self.measured[-1]),
            )
            for own in self.conditions
        )
        return Plan(probe=self.probe, nulls=self.nulls, families=families)


@dataclass(frozen=True)
class Condition:
    """How a family of runs is trained."""

    optimizer: str
    schedule: str

    @property
    def family(self) -> str:
        """Its name in the study."""
        return f"{self.optimizer}-{self.schedule}"


def entries(width: int) -> int:
    """N of the fields of a scale."""
    from gradcascade.training.decoder import DecoderShape

    return DecoderShape(width, 2).recorded_entries


def read_experiment(path: Path) -> ExperimentPlan:
    """Read a plan; what it leaves out has the default. Texts become paths as seen from everywhere."""
    data = read_toml(path, "plan of an experiment")
    plan = validated(ExperimentPlan, data, str(path))
    return plan.model_copy(update={"text": tuple(str((path.parent / own).resolve()) for own in plan.text)})
