"""What is measured of each snapshot: the real field and its nulls, with their seeds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gradcascade.fields.drawing import null
from gradcascade.fields.nulls import NULLS, NullSettings, undrawn
from gradcascade.fields.tensor_sizes import TensorSizes
from gradcascade.probe.relaxation import Probe
from gradcascade.study.plan import Plan
from gradcascade.vocabulary import DRAW, REAL


def unseeded() -> tuple[str, ...]:
    """Variants in which nothing is drawn: their seed is 0, and they have one replicate."""
    return (REAL, *undrawn())


@dataclass(frozen=True)
class Variant:
    """One measurement of a snapshot: the real field, or a replicate of a null."""

    name: str
    """``"real"`` or the kind of the null."""
    replicate: int
    """Of a null, from 0; :data:`DRAW` more for each draw of the data."""
    seed: int
    """The plan's seed plus the step; 0 where nothing is drawn."""
    probe_hash: str
    """Hash of the settings of the measurement."""
    order: str = ""
    """Another order of the field's tensors than the planned one, see :mod:`gradcascade.study.orders`."""

    @property
    def needs_layout(self) -> bool:
        """Whether it depends on the tensors that make up the field."""
        return bool(self.order) or needs_layout(self.name)

    def in_order(self, order: str) -> Variant:
        """The same with the tensors in another order, which is part of the hash."""
        name = hashlib.sha256(f"{self.probe_hash}:order {order}".encode()).hexdigest()[:16]
        return replace(self, probe_hash=name, order=order)


def make_probe(plan: Plan, *, engine: str = "auto", threads: int | None = None) -> Probe:
    """Make the probe of a plan; ``engine`` and ``threads`` do not change results and are not part of it."""
    return Probe(**plan.probe.model_dump(), engine=engine, threads=threads)


def variants_of(plan: Plan, step: int, draw: int | None = None) -> list[Variant]:
    """Everything the plan measures of a snapshot of this step, and of one of several draws of the data."""
    first = DRAW * (draw or 0)
    plain = make_probe(plan).hash
    result = [Variant(REAL, first, 0, plain)]
    for kind in plan.nulls.kinds:
        setting = NULLS[kind].setting(NullSettings(plan.nulls.deviation, plan.nulls.clip, plan.probe.quantile))
        name = plain if setting is None else hashlib.sha256(f"{plain}:{setting}".encode()).hexdigest()[:16]
        seeds = [plan.nulls.seed + step] * plan.nulls.replicates if NULLS[kind].drawn else [0]
        result += [Variant(kind, first + replicate, seed, name) for replicate, seed in enumerate(seeds)]
    return result


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
    """The real values, or a null of them; ``layout`` is called if the null depends on the tensors of the field."""
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
