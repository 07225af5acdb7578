"""Measures how far the exponents of a study move with each choice of the measurement, on a sample of its steps."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import polars as pl

from gradcascade.errors import InputError
from gradcascade.fields.kinds import field_plural
from gradcascade.probe.relaxation import Probe
from gradcascade.scaling.choice_shifts import CONTROL, ORDER, choice_shifts
from gradcascade.scaling.order_sensitivity import order_scatter, order_spread, order_values
from gradcascade.scaling.windows import default_window
from gradcascade.sources.base import Name, SnapshotRef, Source
from gradcascade.study.choices import Choice, choices_of
from gradcascade.study.executors import EXECUTORS
from gradcascade.study.gaps import Gaps
from gradcascade.study.orders import USUAL, every_order, names_in_order, order_mark, parse_orders
from gradcascade.study.plan import FamilyPlan
from gradcascade.study.quarantine import quarantined
from gradcascade.study.runner import Progress, open_source
from gradcascade.study.snapshot import Job, Measured, Read, Refused
from gradcascade.study.store import SNAPSHOT, Contents
from gradcascade.study.study import Study, of_contents
from gradcascade.study.variants import Variant, make_probe, unseeded
from gradcascade.study.windows import family_window
from gradcascade.study.writer import Work, Writer


class WindowWarning(UserWarning):
    """A family has no snapshot in its window, and others have."""


STEPS = 8
"""Steps in a sample."""

REPLICATES = 3


@dataclass(frozen=True)
class Robustness:
    """What the choices do.

    Attributes
    ----------
    table : polars.DataFrame
        How far each choice moves each exponent; from :func:`gradcascade.scaling.choice_shifts.choice_shifts`.
    orders : polars.DataFrame
        Every exponent in every order of the tensors, and of N2, which has none; from
        :func:`gradcascade.scaling.order_sensitivity.order_values`.
    spread : polars.DataFrame
        How far the exponents lie apart over the orders, one row each; from
        :func:`gradcascade.scaling.order_sensitivity.order_spread`.
    cascades : polars.DataFrame
        The cascades behind it, with ``kind`` and ``choice``.
    measured, known : int
        Cascades measured now, and those that were in the store already.
    refused : tuple of str
        One sentence for every snapshot of the sample that could not be measured.
    unordered : tuple of str
        One sentence for every family and kind of field whose tensors cannot be put in another order.
    """

    table: pl.DataFrame
    orders: pl.DataFrame
    spread: pl.DataFrame
    cascades: pl.DataFrame
    measured: int
    known: int
    refused: tuple[str, ...]
    unordered: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stored:
    """What a store already knows of the choices: the tables of :class:`Robustness`, without rows if it is nothing."""

    table: pl.DataFrame
    orders: pl.DataFrame
    order_scatter: pl.DataFrame


def robustness(
    study: Study,
    *,
    steps: int = STEPS,
    replicates: int = REPLICATES,
    orders: Sequence[str] = USUAL,
    engine: str = "auto",
    threads: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    opened: Mapping[str, Source] | None = None,
) -> Robustness:
    """Measure a sample of a study's snapshots in other ways, one choice changed at a time.

    Every cascade is kept in the study's store as soon as it is there, under the hash of its own settings: the same
    call is free the second time, and what the plan itself asks for (:meth:`Study.cascades`) does not change.

    Parameters
    ----------
    study : Study
        An open study whose sources can still be read.
    steps : int
        Steps of each family and kind of field, evenly over the window (all, if there are no more).
    replicates : int
        Replicates of every null.
    orders : sequence of str
        Orders of the tensors: those of a plan (``"file"``, ``"canonical"``, ``"grouped"``, ...), ``"reversed"`` (the
        canonical one backwards), and ``"random:4"`` for four random ones. None if it is empty.
    engine, threads : str, int or None
        See :class:`gradcascade.Probe`.
    progress : callable, optional
        Called with a :class:`Progress` after every cascade.
    opened : mapping of str to Source, optional
        Sources that are open already, by family. They are closed at the end, as all others are.

    Returns
    -------
    Robustness

    Raises
    ------
    InputError
        If a source cannot be opened, an order is unknown, the study has no snapshot in its window, or the store
        cannot be written. A single snapshot that cannot be measured is named in the result.
    """
    if steps < 1 or replicates < 1:
        raise InputError(f"steps and replicates must be at least 1, got {steps} and {replicates}")
    choices = choices_of(study.plan, replicates, parse_orders(orders))
    with ExitStack() as stack:
        sources = []
        for family in study.plan.families:
            source = (opened or {}).get(family.name) or open_source(study.folder, family)
            stack.callback(source.close)
            sources.append((family, source))
        return _measured(study, sample(study, sources, steps), choices, engine, threads, progress)


def stored_robustness(study: Study) -> Stored:
    """What the store already knows of the choices, over the steps that were sampled, of contents the study knows."""
    cascades = choice_cascades(study, choices_of(study.plan, 1, every_order()), study.current())
    other = cascades.filter(~pl.col("kind").is_in(["plan", CONTROL]))
    sampled = other.select("family", "field", "step").unique()
    cascades = cascades.join(sampled, on=["family", "field", "step"], how="semi")
    return Stored(choice_shifts(cascades), order_values(cascades), order_scatter(cascades))


def sample(
    study: Study, sources: Sequence[tuple[FamilyPlan, Source]], steps: int
) -> list[tuple[FamilyPlan, SnapshotRef]]:
    """Choose snapshots of a few steps, evenly over the window, that as many scales as possible have.

    Of several draws of the data at a step that is the first.
    """
    found = [(family, at) for family, source in sources for at in source.snapshots() if not at.draw]
    reasons = quarantined(study.folder, sources, [at for _, at in found])
    gaps = Gaps.of(study, found)
    found = [(family, at) for family, at in found if at.name not in reasons and not gaps.too_long(at)]
    planned = {family.name: family_window(study.plan, family) for family in study.plan.families}
    chosen: set[tuple[str, str, int]] = set()
    empty: list[str] = []
    for name, field in sorted({(at.family, at.field) for _, at in found}):
        count: dict[int, int] = {}
        for _, at in found:
            if (at.family, at.field) == (name, field):
                count[at.step] = count.get(at.step, 0) + 1
        first, last = planned.get(name) or default_window(count)
        inside = {step: scales for step, scales in count.items() if first <= step <= last}
        if not inside:
            empty.append(f"{name}, {field_plural(field)} (steps {first:,} to {last:,})")
        full = sorted(step for step, scales in inside.items() if scales == max(inside.values()))
        places = np.unique(np.linspace(0, len(full) - 1, steps).round().astype(int)) if full else []
        chosen |= {(name, field, full[place]) for place in places}
    if not chosen:
        raise InputError(
            f"no source of the study {study.folder} has a snapshot in its window; set another one in its plan.toml"
        )
    if empty:
        where = study.folder / "plan.toml"
        warnings.warn(
            f"no snapshot lies in the window of {'; '.join(empty)}, so none is sampled; set another one in {where}",
            WindowWarning,
            stacklevel=3,
        )
    return [(family, at) for family, at in found if (at.family, at.field, at.step) in chosen]


def choice_cascades(
    study: Study, choices: Sequence[Choice], contents: pl.DataFrame, replicates: int | None = None
) -> pl.DataFrame:
    """Cascades that the store has of these contents, with ``kind`` and ``choice``; some replicates of a null."""
    asked = pl.DataFrame(
        [
            (choice.kind, choice.name, variant.name, variant.probe_hash, variant.seed)
            for choice in choices
            for variant in choice.variants(0)[:1]
        ],
        schema=dict.fromkeys(("kind", "choice", "variant", "probe_hash"), pl.String) | {"base": pl.Int64},
        orient="row",
    )
    drift = pl.when(pl.col("variant").is_in(unseeded())).then(0).otherwise("step")
    table = (
        of_contents(study.store.cascades(), contents)
        .join(asked, on=["variant", "probe_hash"], maintain_order="left")
        .filter((pl.col("kind") == ORDER) | (pl.col("seed") == pl.col("base") + drift))
        .drop("base")
        # The same order of a file that was written anew may be another one: what was measured last counts.
        .unique([*SNAPSHOT, "choice", "replicate", "content_hash"], keep="last", maintain_order=True)
    )
    return table if replicates is None else table.filter(pl.col("replicate") < replicates)


def _measured(
    study: Study,
    snapshots: list[tuple[FamilyPlan, SnapshotRef]],
    choices: Sequence[Choice],
    engine: str,
    threads: int | None,
    progress: Callable[[Progress], None] | None,
) -> Robustness:
    probes = [make_probe(choice.plan, engine=engine, threads=threads) for choice in choices]
    contents: dict[tuple[Name, int | None], Contents] = {}
    refused = []
    works, unordered = _works(snapshots, choices, probes)
    ends = np.cumsum([len(work.jobs) for work in works]).tolist()
    done = measured = known = 0
    for work, event in Writer(study.store).measure(works, partial(EXECUTORS["serial"].execute, workers=1)):
        at = work.snapshot
        if isinstance(event, Read):
            # What the study takes for current is left to `run`: its cascades are not all measured again here.
            contents[at.name, at.span] = event.contents
        elif isinstance(event, Measured):
            measured += event.row is not None
            known += event.row is None
            done += 1
            if progress:
                progress(Progress(done, ends[-1], at))
        elif isinstance(event, Refused):
            refused.append(f"{at.place}: {event.reason}")
            contents.pop((at.name, at.span), None)
            done = ends[work.number]
    rows = [(*name, span, *hashes) for (name, span), hashes in contents.items()]
    schema = dict.fromkeys((*SNAPSHOT, *Contents._fields), pl.String) | {"step": pl.Int64, "span": pl.Int64}
    replicates = max(len(choice.variants(0)) for choice in choices)
    cascades = choice_cascades(study, choices, pl.DataFrame(rows, schema=schema, orient="row"), replicates)
    orders = order_values(cascades)
    return Robustness(
        choice_shifts(cascades),
        orders,
        order_spread(orders),
        cascades,
        measured,
        known,
        tuple(refused),
        unordered,
    )


def _works(
    snapshots: list[tuple[FamilyPlan, SnapshotRef]], choices: Sequence[Choice], probes: Sequence[Probe]
) -> tuple[list[Work], tuple[str, ...]]:
    """What is measured of each snapshot, and why of some no other order is."""
    works, unordered = [], {}
    asked = any(choice.order for choice in choices)
    for number, (family, at) in enumerate(snapshots):
        reason = _one_order(at) if asked else None
        if reason:
            unordered.setdefault((at.family, at.field, reason), f"{at.family}, {field_plural(at.field)}: {reason}")
        jobs = []
        for choice, probe in zip(choices, probes, strict=True):
            if choice.order and (reason or choice.order == family.order):
                continue
            jobs += [Job(choice.plan, probe, _arranged(at, variant)) for variant in choice.variants(at.step)]
        works.append(Work(number, family, at, tuple(jobs)))
    return works, tuple(unordered.values())


def _one_order(snapshot: SnapshotRef) -> str | None:
    """Why a snapshot's tensors have no other order; on the hub nothing is known before it is loaded."""
    if not snapshot.files:
        return None
    try:
        layout = snapshot.layout()
    except InputError:  # loading it says why
        return None
    if layout is None:
        return "the tensors that make up a field are not known, so they have no other order"
    if sum(size > 0 for _, size in layout) < 2:
        return "a field is one tensor, so there is nothing to order"
    return None


def _arranged(snapshot: SnapshotRef, variant: Variant) -> Variant:
    """A variant marked with the arrangement that its order is here, where files on disk decide it."""
    if not variant.order or not snapshot.files:
        return variant
    try:
        names = names_in_order(snapshot, variant.order)
    except InputError:  # loading it says why
        return variant
    return replace(variant, seed=order_mark(names)) if names else variant
