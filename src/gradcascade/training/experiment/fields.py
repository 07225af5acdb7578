"""The fields of one step of a training, from a batch's gradient to updates: taken at the same parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcascade.fields.kinds import FIELD_KINDS
from gradcascade.live.fields import Field, FieldMaker, TakenField
from gradcascade.live.recorder import PICO_PATTERNS
from gradcascade.live.tensors import LocalTensors
from gradcascade.training.experiment.optimizers import OPTIMIZERS
from gradcascade.training.experiment.plan import MEAN_GRADIENT, UPDATE, ExperimentPlan

if TYPE_CHECKING:
    from gradcascade.training.decoder import Decoder

GRADIENT = "gradient"


def last_ends(measured: Iterable[int], spans: Iterable[int]) -> dict[int, int]:
    """The last step that an update ends at, by the step that it begins at."""
    return {step - span: step for step in sorted(measured) for span in spans}


def most_kept(measured: Iterable[int], spans: Iterable[int]) -> int:
    """How many beginnings of updates are kept at once, at most."""
    ends = last_ends(measured, spans)
    return max((sum(begin <= step <= end for begin, end in ends.items()) for step in ends), default=0)


class StepFields:
    """Takes the fields of the measured steps of a run, and keeps the parameters that its updates begin with."""

    def __init__(
        self, plan: ExperimentPlan, optimizer: str, model: Decoder, optimizers: list[Any], measured: Iterable[int]
    ) -> None:
        self._plan, self._model = plan, model
        self._kinds = plan.fields_of(optimizer)
        self._made_as = OPTIMIZERS[optimizer].kinds
        self._spans = plan.spans if UPDATE in self._kinds else ()
        tensors = LocalTensors(model, optimizers, PICO_PATTERNS)
        self.maker = FieldMaker(tensors, tensors.describe().description("file"))
        self._ends = last_ends(measured, self._spans)
        self.before: dict[int, Field] = {}

    def remember(self, step: int) -> None:
        """Keep the parameters after so many steps, if an update begins with them; and drop what none needs."""
        for old in [old for old in self.before if self._ends[old] < step]:
            del self.before[old]
        if step in self._ends:
            kept = self.maker.parameters()
            assert kept is not None
            self.before[step] = kept

    def take(self, step: int, more: Callable[[int], object]) -> Iterator[TakenField]:
        """The fields at the parameters after ``step`` steps, one after another, with its batch's gradients there.

        Momentum and direction are the optimizer's after its last step, and updates end here. ``more(i)`` makes the
        model's gradients those of batch i of the mean gradient, from 1; afterwards they are as they were.
        """
        gradient = self._made(GRADIENT)
        for kind in self._kinds:
            if kind == GRADIENT:
                yield TakenField(kind, gradient)
            elif kind == MEAN_GRADIENT:
                yield TakenField(kind, self._mean(gradient, more))
            elif kind == UPDATE:
                for span in self._spans:
                    values = self.maker.update(FIELD_KINDS[UPDATE], self.before[step - span].copy())
                    assert values is not None
                    yield TakenField(kind, values, span)
            else:
                yield TakenField(kind, self._made(self._made_as[kind]))

    def _made(self, kind: str) -> Field:
        values, missing = self.maker.field(FIELD_KINDS[kind])
        assert values is not None and not missing, f"no {kind} of {missing}"
        return values

    def _mean(self, gradient: Field, more: Callable[[int], object]) -> Field:
        """As the kind of field makes it, without holding all gradients at once."""
        parameters = list(self._model.parameters())
        own = [parameter.grad for parameter in parameters]
        total = np.zeros(gradient.shape)
        total += gradient
        for number in range(1, self._plan.batches):
            for parameter in parameters:
                parameter.grad = None
            more(number)
            total += self._made(GRADIENT)
        for parameter, grad in zip(parameters, own, strict=True):
            parameter.grad = grad
        return (total / self._plan.batches).astype(gradient.dtype)

    def state(self) -> dict[int, Any]:
        """What is kept, as tensors to save."""
        import torch

        return {step: torch.from_numpy(kept) for step, kept in self.before.items()}

    def restore(self, state: Mapping[int, Any]) -> None:
        """Take up what was saved."""
        self.before = {int(step): kept.numpy() for step, kept in state.items()}
