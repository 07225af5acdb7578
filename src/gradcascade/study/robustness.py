"""Measures how far the exponents of a study move with each choice of the measurement, on a sample of its steps."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl

from gradcascade.errors import InputError
from gradcascade.fields.kinds import field_plural
from gradcascade.scaling.choice_shifts import choice_shifts
from gradcascade.scaling.windows import default_window
from gradcascade.sources.base import Name, SnapshotRef, Source
from gradcascade.study.choices import Choice, choices_of
from gradcascade.study.executors import EXECUTORS
from gradcascade.study.gaps import Gaps
from gradcascade.study.plan import FamilyPlan
from gradcascade.study.quarantine import quarantined
from gradcascade.study.runner import Progress, open_source
from gradcascade.study.snapshot import Job, Measured, Read, Refused
from gradcascade.study.store import SNAPSHOT, Contents
from gradcascade.study.study import Study, of_contents
from gradcascade.study.variants import make_probe, unseeded
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
    cascades : polars.DataFrame
        The cascades behind it, with ``kind`` and ``choice``.
    measured, known : int
        Cascades measured now, and those that were in the store already.
    refused : tuple of str
        One sentence for every snapshot of the sample that could not be measured.
    """

    table: pl.DataFrame
    cascades: pl.DataFrame
    measured: int
    known: int
    refused: tuple[str, ...]


def robustness(
    study: Study,
    *,
    steps: int = STEPS,
    replicates: int = REPLICATES,
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
        If a source cannot be opened, the study has no snapshot in its window, or the store cannot be written. A
        single snapshot that cannot be measured is named in the result.
    """
    if steps < 1 or replicates < 1:
        raise InputError(f"steps and replicates must be at least 1, got {steps} and {replicates}")
    choices = choices_of(study.plan, replicates)
    with ExitStack() as stack:
        sources = []
        for family in study.plan.families:
            source = (opened or {}).get(family.name) or open_source(study.folder, family)
            stack.callback(source.close)
            sources.append((family, source))
        return _measured(study, sample(study, sources, steps), choices, engine, threads, progress)


def stored_robustness(study: Study) -> pl.DataFrame:
    """What the store already knows of the choices: the table of :func:`robustness`, without measuring.

    Parameters
    ----------
    study : Study
        An open study.

    Returns
    -------
    polars.DataFrame
        As :func:`gradcascade.scaling.choice_shifts.choice_shifts`, over the steps that were sampled, of the contents
        that the study knows; no rows if nothing was measured but what the plan asks for.
    """
    cascades = choice_cascades(study, choices_of(study.plan, 1), study.current())
    other = cascades.filter(~pl.col("kind").is_in(["plan", "control"]))
    sampled = other.select("family", "field", "step").unique()
    return choice_shifts(cascades.join(sampled, on=["family", "field", "step"], how="semi"))


def sample(
    study: Study, sources: Sequence[tuple[FamilyPlan, Source]], steps: int
) -> list[tuple[FamilyPlan, SnapshotRef]]:
    """Choose the snapshots of a few steps, evenly over the window, that as many scales as possible have.

    Parameters
    ----------
    study : Study
        Decides the window (by default the last two thirds of the steps) and what is in quarantine.
    sources : sequence of tuple
        The plan of every family, with its source.
    steps : int
        Steps of each family and kind of field.

    Returns
    -------
    list of tuple
        Snapshots with the plan of their family.

    Raises
    ------
    InputError
        If there is none.
    """
    found = [(family, at) for family, source in sources for at in source.snapshots()]
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
    """Cascades of the choices that the store has.

    Parameters
    ----------
    study : Study
        An open study.
    choices : sequence of Choice
        From :func:`gradcascade.study.choices.choices_of`.
    contents : polars.DataFrame
        ``family, scale, step, field, content_hash`` of the snapshots.
    replicates : int, optional
        Replicates of a null at most; by default all there are.

    Returns
    -------
    polars.DataFrame
        Columns of the store, with ``kind`` and ``choice``.
    """
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
        .join(asked, on=["variant", "probe_hash"])
        .filter(pl.col("seed") == pl.col("base") + drift)
        .drop("base")
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
    each = sum(len(choice.variants(0)) for choice in choices)
    done = measured = known = 0

    def works() -> Iterator[Work]:
        for number, (family, at) in enumerate(snapshots):
            jobs = [
                Job(choice.plan, probe, variant)
                for choice, probe in zip(choices, probes, strict=True)
                for variant in choice.variants(at.step)
            ]
            yield Work(number, family, at, tuple(jobs))

    for work, event in Writer(study.store).measure(works(), partial(EXECUTORS["serial"].execute, workers=1)):
        at = work.snapshot
        if isinstance(event, Read):
            # What the study takes for current is left to `run`: its cascades are not all measured again here.
            contents[at.name, at.span] = event.contents
        elif isinstance(event, Measured):
            measured += event.row is not None
            known += event.row is None
            done += 1
            if progress:
                progress(Progress(done, each * len(snapshots), at))
        elif isinstance(event, Refused):
            refused.append(f"{at.place}: {event.reason}")
            contents.pop((at.name, at.span), None)
            done = (work.number + 1) * each
    rows = [(*name, span, *hashes) for (name, span), hashes in contents.items()]
    schema = dict.fromkeys((*SNAPSHOT, *Contents._fields), pl.String) | {"step": pl.Int64, "span": pl.Int64}
    replicates = max(len(choice.variants(0)) for choice in choices)
    cascades = choice_cascades(study, choices, pl.DataFrame(rows, schema=schema, orient="row"), replicates)
    return Robustness(choice_shifts(cascades), cascades, measured, known, tuple(refused))
