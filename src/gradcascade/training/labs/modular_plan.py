"""What the lab of modular addition trains and measures; the settings that its paper leaves open are ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from gradcascade.planfiles import Strict, validated
from gradcascade.study.plan import FamilyPlan, NullPlan, Plan, ProbePlan

GROKKING, RANDOM_ANSWERS, SMALL_SHARE = "grokking", "random-answers", "small-share"
CONTROLS = (RANDOM_ANSWERS, SMALL_SHARE)
FAMILIES = (GROKKING, *CONTROLS)

TRAINING_LOSS, TRAINING_ACCURACY, TEST_LOSS, TEST_ACCURACY = (
    "training_loss", "training_accuracy", "test_loss", "test_accuracy",
)  # fmt: skip
"""Metrics of the study: cross-entropy in nats, and the share of right answers."""


def _distinct(values: tuple[int, ...]) -> tuple[int, ...]:
    if not values or list(values) != sorted(set(values)):
        raise ValueError("name at least one, ascending, and each once")
    return values


def _prime(value: int) -> int:
    if value < 3 or any(value % other == 0 for other in range(2, int(value**0.5) + 1)):
        raise ValueError("it must be an odd prime, such as 59")
    return value


Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1)]


class ModularPlan(Strict):
    """Everything the lab was asked.

    From arXiv:2604.16431: p, the share of the training pairs, one block, several widths, and the accuracy at which
    the transition is. Ours: all else, after the usual settings of the field (arXiv:2201.02177, arXiv:2301.05217).
    """

    prime: Annotated[int, AfterValidator(_prime)] = 59
    share: Share = 0.8
    """Of the p^2 pairs, to train on; the others are the test."""
    widths: Annotated[tuple[Count, ...], AfterValidator(_distinct)] = (24, 32, 40, 48, 64, 96)
    """d_model of each scale; N = 12 d^2 + (2 p + 4) d."""
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], AfterValidator(_distinct)] = (0, 1, 2)
    """A run of every scale each; a seed decides the weights and the split."""
    heads: Count = 4
    learning_rate: Positive = 1e-3
    """Of AdamW with betas 0.9 and 0.98, on all training pairs at once; constant after the warm-up."""
    warmup: int = Field(default=10, ge=0)
    weight_decay: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    steps: Count = 3000
    """Most steps of a run that does not pass its transition."""
    threshold: Share = 0.99
    """The transition is the first measured step at which more than this share of the test answers is right."""
    after: int = Field(default=150, ge=0)
    """Steps that a run goes on after its transition."""
    every: Count = 10
    """Steps between two measurements."""
    small_share: Share = 0.2
    """Of the pairs, for the control that is trained on few, without weight decay."""
    probe: ProbePlan = ProbePlan()
    nulls: NullPlan = NullPlan(kinds=("N0", "N2"))

    @model_validator(mode="after")
    def _fits(self) -> ModularPlan:
        if odd := [width for width in self.widths if width % self.heads]:
            raise ValueError(f"model width {odd[0]} is not a multiple of the {self.heads} heads; choose others")
        for name in ("share", "small_share"):
            count = round(getattr(self, name) * self.prime**2)
            if not 0 < count < self.prime**2:
                raise ValueError(f"{name} leaves no pair to train on, or none to test; choose another share")
        return self

    @classmethod
    def quick(cls) -> ModularPlan:
        """Three tiny scales, two seeds, p = 17: a test of the whole way, not a measurement."""
        tiny = {"prime": 17, "widths": (12, 16, 24), "seeds": (0, 1), "heads": 2, "threshold": 0.9}
        return cls.model_validate(tiny | {"learning_rate": 1e-2, "steps": 200, "after": 20})

    def study(self) -> Plan:
        """The plan of the study that keeps the measurements: a family of runs that grok, and one of each control."""
        families = tuple(FamilyPlan(name=name, path=".", fields=("gradient",)) for name in FAMILIES)
        return Plan(probe=self.probe, nulls=self.nulls, families=families)


def modular_plan(where: str, **settings: object) -> ModularPlan:
    """A plan from settings; what is wrong with one is told as an :class:`InputError` that begins with ``where``."""
    return validated(ModularPlan, settings, where)


def run_folder(out: Path, family: str, width: int, seed: int) -> Path:
    """Where a run keeps its state."""
    return out / "runs" / family / f"d{width}-seed{seed}"
