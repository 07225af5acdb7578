"""The choices of a measurement that the papers do not settle, each changed alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradcascade.fields.nulls import NULLS
from gradcascade.probe.graphs import EDGES_PER_NODE, GRAPHS
from gradcascade.scaling.choice_shifts import CONTROL, ORDER, PLANNED
from gradcascade.study.plan import NullPlan, Plan
from gradcascade.study.variants import REAL, Variant, variants_of

ALPHAS = (0.2, 0.4)
QUANTILES = (0.8, 0.95)
FURTHER_SEEDS = 3


@dataclass(frozen=True)
class Choice:
    """One way to measure.

    Attributes
    ----------
    kind : str
        What the choice is of: ``"graph"``, ``"graph seed"``, ``"alpha"``, ``"quantile"``, ``"order"`` or
        ``"control"``.
    name : str
        The choice, such as ``"graph ring"``, ``"alpha 0.2"``, ``"order reversed"`` or ``"signs"``.
    plan : Plan
        The plan with this one choice made.
    order : str
        Order of the tensors, if that is what is changed: a family's is no part of the probe.
    """

    kind: str
    name: str
    plan: Plan
    order: str = ""

    def variants(self, step: int) -> list[Variant]:
        """What is measured of a snapshot of this step: the real field, or the replicates of the control."""
        found = [found for found in variants_of(self.plan, step) if (found.name == REAL) == (self.kind != CONTROL)]
        return [variant.in_order(self.order) for variant in found] if self.order else found


def choices_of(plan: Plan, replicates: int, orders: Sequence[str] = ()) -> tuple[Choice, ...]:
    """Everything that is compared with a plan, which comes first.

    That is every other kind of graph (with m = 2); further topology seeds, where the graph depends on them; other
    values of alpha and of the quantile; orders of the tensors; every null, with replicates where something is drawn.
    """
    probe = plan.probe
    changes = [("graph", kind, {"graph": kind, "m": EDGES_PER_NODE}) for kind in GRAPHS if kind != probe.graph]
    if GRAPHS[probe.graph].seeded:
        seeds = range(probe.graph_seed + 1, probe.graph_seed + 1 + FURTHER_SEEDS)
        changes += [("graph seed", str(seed), {"graph_seed": seed}) for seed in seeds]
    changes += [("alpha", f"{alpha:g}", {"alpha": alpha}) for alpha in ALPHAS if alpha != probe.alpha]
    changes += [("quantile", f"{q:g}", {"quantile": q}) for q in QUANTILES if q != probe.quantile]
    none = plan.nulls.model_copy(update={"kinds": ()})
    planned = _with(plan, none)
    found = [Choice("plan", PLANNED, planned)]
    found += [Choice(kind, f"{kind} {name}", _with(plan, none, **changed)) for kind, name, changed in changes]
    found += [Choice(ORDER, f"{ORDER} {order}", planned, order) for order in orders]
    for kind in NULLS:
        drawn = plan.nulls.model_copy(update={"kinds": (kind,), "replicates": replicates})
        found.append(Choice(CONTROL, kind, _with(plan, drawn)))
    return tuple(found)


def _with(plan: Plan, nulls: NullPlan, **probe: object) -> Plan:
    return plan.model_copy(update={"nulls": nulls, "probe": plan.probe.model_copy(update=probe)})
