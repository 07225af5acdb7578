"""What a monitor measured at one step, as numbers and as scalars for any logger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gradcascade.probe.cascade import Cascade
from gradcascade.vocabulary import REAL

NUMBERS = ("n", "size", "duration", "v_abs", "v_rel", "tau", "max_over_tau", "zero_share")
"""Numbers of every measured field, and of every null."""

_OF_CASCADE = ("n", "tau", "activity", "ceiling", "max_over_tau", "zero_share")


@dataclass(frozen=True, eq=False)
class MeasuredField(Cascade):
    """One kind of field at one step: its cascade, with those of its nulls."""

    kind: str = ""
    nulls: Mapping[str, tuple[Cascade, ...]] = field(default_factory=dict)
    """Cascades by name of the null, one per replicate."""
    span: int | None = None
    """Optimizer steps that an update covers."""
    seconds: float = 0.0
    """Time that measuring it and its nulls took."""

    def same_as(self, other: MeasuredField) -> bool:
        """Whether the other is the same to the last bit, as far as these numbers tell."""
        ours, theirs = ((one.tau, one.max_over_tau, *one.activity.tolist()) for one in (self, other))
        return ours == theirs

    def numbers(self) -> dict[str, float]:
        """Its own numbers, and of each null their means over replicates, such as ``N2/v_rel``."""
        found = {name: float(getattr(self, name)) for name in NUMBERS}
        for null, cascades in self.nulls.items():
            for name in NUMBERS:
                found[f"{null}/{name}"] = sum(float(getattr(one, name)) for one in cascades) / len(cascades)
        return found


@dataclass(frozen=True)
class Measurement:
    """What was measured at one step of a training; see :class:`gradcascade.Monitor`."""

    step: int
    """Optimizer steps made so far."""
    moment: str
    """When the fields were taken: ``"after backward"``, ``"after unscaling"``, ``"after step"``, or what was said."""
    fields: Mapping[str, MeasuredField]
    """By kind of field."""
    loss_scale: float = 1.0
    """What the gradients were divided by; tau is in the units of the unscaled loss."""
    seconds: float = 0.0
    """Time that measuring took in all."""
    waited: float = 0.0
    """Of it, what the training waited for."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Reason by kind of field, for those that could not be measured at this step."""

    def __getitem__(self, kind: str) -> MeasuredField:
        return self.fields[kind]

    def scalars(self, prefix: str = "gradcascade") -> dict[str, float]:
        """A flat mapping for any logger: ``gradcascade/gradient/v_rel``, ``gradcascade/gradient/N2/v_rel`` ..."""
        found = {
            f"{prefix}/{kind}/{name}": value
            for kind, own in self.fields.items()
            for name, value in own.numbers().items()
        }
        return {**found, f"{prefix}/seconds": self.waited}


def measured_field(
    kind: str, cascades: Sequence[tuple[str, Mapping[str, Any]]], span: int | None, seconds: float
) -> MeasuredField:
    """From cascades by variant, each given as a mapping: that of the real field, and those of its nulls."""
    found: dict[str, list[dict[str, Any]]] = {}
    for variant, values in cascades:
        found.setdefault(variant, []).append({name: values[name] for name in _OF_CASCADE})
    [real] = found.pop(REAL)
    nulls = {name: tuple(Cascade(**one) for one in own) for name, own in found.items()}
    return MeasuredField(**real, kind=kind, nulls=nulls, span=span, seconds=seconds)
