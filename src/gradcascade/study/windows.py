"""Decides the stable window of every family and field of a study, for fits, reports, exports and comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gradcascade import families

if TYPE_CHECKING:
    import polars as pl

    from gradcascade.scaling.windows import Range, Window
    from gradcascade.study.plan import FamilyPlan, Plan


def family_window(plan: Plan, family: FamilyPlan) -> Range | None:
    """The window of one family: its own in the plan, the plan's for all, or, on the hub, that of its family file."""
    if family.window is not None:
        return family.window
    if plan.fit.window is not None:
        return plan.fit.window
    return published_window(family)


def published_window(family: FamilyPlan) -> Range | None:
    """The window in the family file of a published family on the hub; None for any other."""
    known = families.family_of(family.name, family.hub.places.values()) if family.hub else None
    return known.window if known else None


def study_windows(plan: Plan, cascades: pl.DataFrame, window: Window = None) -> dict[tuple[str, str], Range]:
    """First and last step for every (family, field) of a study; ``window`` is what was asked beyond the plan.

    A family without a window gets the last two thirds of the steps of each of its fields.
    """
    from gradcascade.scaling.windows import windows

    if window is not None and not isinstance(window, Mapping):
        return windows(cascades, window)
    return windows(cascades, planned_windows(plan, cascades) | dict(window or {}))


def planned_windows(plan: Plan, cascades: pl.DataFrame) -> dict[tuple[str, str], Range]:
    """The same for those families alone that have a window in the plan or in their family file."""
    planned = {family.name: family_window(plan, family) for family in plan.families}
    groups = cascades.select("family", "field").unique().iter_rows()
    return {(family, field): span for family, field in groups if (span := planned.get(family)) is not None}
