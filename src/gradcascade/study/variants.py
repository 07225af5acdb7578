"""What is measured of each snapshot: the real field and its nulls, with their seeds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradcascade.fields.drawing import null
from gradcascade.fields.nulls import NULLS, NullSettings, undrawn
from gradcascade.fields.tensor_sizes import TensorSizes
from gradcascade.probe.relaxation import Probe
from gradcascade.study.plan import Plan
from gradcascade.vocabulary import REAL


def unseeded() -> tuple[str, ...]:
    """Variants in which nothing is drawn: their seed is 0, and they have one replicate."""
    return (REAL, *undrawn())


@dataclass(frozen=True)
class Variant:
    """One measurement of a snapshot.

    Attributes
    ----------
    name : str
        ``"real"`` or the kind of the null.
    replicate : int
        Number of the replicate, from 0.
    seed : int
        Seed of the null, ``seed + step``; 0 where nothing is drawn.
    probe_hash : str
        Hash of the settings of the measurement.
    """

    name: str
    replicate: int
    seed: int
    probe_hash: str


def make_probe(plan: Plan, *, engine: str = "auto", threads: int | None = None) -> Probe:
    """Make the probe of a plan; ``engine`` and ``threads`` do not change results and are not part of it."""
    return Probe(**plan.probe.model_dump(), engine=engine, threads=threads)


def variants_of(plan: Plan, step: int) -> list[Variant]:
    """Everything the plan measures of a snapshot of this step."""
    plain = make_probe(plan).hash
    result = [Variant(REAL, 0, 0, plain)]
    for kind in plan.nulls.kinds:
        name = plain
        setting = NULLS[kind].setting(_settings(plan))
        if setting is not None:
            name = hashlib.sha256(f"{plain}:{setting}".encode()).hexdigest()[:16]
        if not NULLS[kind].drawn:
            result.append(Variant(kind, 0, 0, name))
        else:
            result += [Variant(kind, r, plan.nulls.seed + step, name) for r in range(plan.nulls.replicates)]
    return result


def _settings(plan: Plan) -> NullSettings:
    return NullSettings(plan.nulls.deviation, plan.nulls.clip, plan.probe.quantile)


def needs_layout(name: str) -> bool:
    """Whether a variant depends on the tensors that make up the field."""
    return name in NULLS and NULLS[name].needs_layout


def draw(
    plan: Plan,
    variant: Variant,
    values: NDArray[np.floating],
    threads: int | None,
    layout: Callable[[], TensorSizes | None] = lambda: None,
) -> NDArray[np.floating]:
    """Give the field of a variant: the real values, or a null of them.

    ``layout`` is called where a null needs to know the tensors that make up the field.
    """
    if variant.name == REAL:
        return values
    return null(
        variant.name,
        values,
        variant.seed,
        replicate=variant.replicate,
        deviation=plan.nulls.deviation,
        layout=layout() if needs_layout(variant.name) else None,
        clip=plan.nulls.clip,
        quantile=plan.probe.quantile,
        threads=threads,
    )
