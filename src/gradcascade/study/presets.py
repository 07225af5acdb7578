"""The published families by name, as plans of what is measured of them (arXiv:2605.02968)."""

from __future__ import annotations

from collections.abc import Sequence

from gradcascade import families
from gradcascade.families import Family
from gradcascade.study.plan import FamilyPlan


def presets() -> dict[str, FamilyPlan]:
    """What is measured under every name of a published family; the probe and the nulls are the defaults of a plan."""
    return {name: preset(name, known, runs) for name, (known, runs) in families.presets().items()}


def preset(name: str, known: Family, runs: Sequence[str]) -> FamilyPlan:
    """Plan of some runs of a family."""
    by_run = {run: known.repositories(run, known.variant(name)) for run in runs}
    places = {
        scale: {run: own[scale] for run, own in by_run.items() if scale in own}
        if len(runs) > 1
        else by_run[runs[0]][scale]
        for scale in known.scales
        if any(scale in own for own in by_run.values())
    }
    hub = {"layout": known.layout, "repositories": places, "steps": known.steps}
    reading = {"fields": known.fields, "order": known.tensor_order, "tensors": known.tensors}
    if known.optimizer:
        reading["optimizer"] = known.optimizer.model_dump()
    return FamilyPlan.model_validate({"name": name, "hub": hub, **reading, "window": known.window})
