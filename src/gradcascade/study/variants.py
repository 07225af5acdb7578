"""What is measured of each snapshot: the real field and its nulls, with their seeds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradcascade.fields.nulls import null
from gradcascade.probe.relaxation import Probe
from gradcascade.study.plan import Plan

REAL = "real"


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
        Seed of the null, ``seed + step``; 0 for the real field.
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
        if kind == "N1" and plan.nulls.deviation != "population":  # a setting of the null, not of the probe
            name = hashlib.sha256(f"{plain}:{plan.nulls.deviation}".encode()).hexdigest()[:16]
        result += [Variant(kind, r, plan.nulls.seed + step, name) for r in range(plan.nulls.replicates)]
    return result


def draw(plan: Plan, variant: Variant, values: NDArray[np.floating], threads: int | None) -> NDArray[np.floating]:
    """Give the field of a variant: the real values, or a null of them."""
    if variant.name == REAL:
        return values
    return null(
        variant.name,
        values,
        variant.seed,
        replicate=variant.replicate,
        deviation=plan.nulls.deviation,
        threads=threads,
    )
