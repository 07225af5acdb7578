"""The published families by name, as plans of what is measured of them (arXiv:2605.02968)."""

from __future__ import annotations

from gradcascade import families
from gradcascade.families import Family
from gradcascade.study.plan import FamilyPlan


def presets() -> dict[str, FamilyPlan]:
    """What is measured under every name of a published family; the probe and the nulls are the defaults of a plan."""
    return {name: preset(name, known, run) for name, (known, run) in families.presets().items()}


def preset(name: str, known: Family, run: str) -> FamilyPlan:
    """Plan of one run of a family."""
    hub = {"layout": known.layout, "repositories": known.repositories(run), "steps": known.steps}
    return FamilyPlan.model_validate(
        {"name": name, "hub": hub, "fields": known.fields, "order": known.tensor_order, "window": known.window}
    )
