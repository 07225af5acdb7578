"""Measures everything a plan asks for, once, and stores each cascade as soon as it is measured."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from gradcascade.errors import InputError
from gradcascade.evaluations import Report
from gradcascade.probe import capacity
from gradcascade.probe.relaxation import Probe
from gradcascade.probe.threads import thread_count
from gradcascade.sources.base import GRADIENT, Name, SnapshotRef, Source
from gradcascade.sources.contents import Fields, describe_fields, refuse_differing
from gradcascade.sources.field_readers import GradientReader
from gradcascade.study.contents import copies_in, keep_contents
from gradcascade.study.executors import EXECUTORS, Execute, Executor
from gradcascade.study.gaps import Gaps
from gradcascade.study.plan import FamilyPlan, Plan, study_path
from gradcascade.study.quarantine import quarantined
from gradcascade.study.schedules import describe_schedule, keep_schedules, published_name
from gradcascade.study.shards import Shard, divide, keep_division
from gradcascade.study.snapshot import Job, Measured, Read, Refused, UnmeasurableError
from gradcascade.study.study import Study
from gradcascade.study.variants import make_probe, variants_of
from gradcascade.study.writer import Work, Writer


@dataclass(frozen=True)
class Progress:
    """How many cascades are done so far, of how many in all, and what is being measured."""

    done: int
    total: int
    snapshot: SnapshotRef


class MissingValueWarning(UserWarning):
    """An evaluation has no finite value."""


@dataclass(frozen=True)
class Outcome:
    """What a run did, with one sentence for each snapshot or evaluation file that was left out."""

    measured: int
    known: int
    """Cascades that were in the store already."""
    refused: tuple[str, ...]
    """Snapshots that could not be measured, and what is ``missing``."""
    quarantined: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """Evaluation and configuration files that could not be read."""
    left: int = 0
    """Cascades that are still to be measured, because the run was asked to stop."""


def open_source(study: Path, family: FamilyPlan, watch: Callable[[str, int, int], None] | None = None) -> Source:
    """Open the source of a family; paths are relative to the study folder, which need not exist yet.

    ``watch`` is called while files arrive from the hub, with the name, bytes so far, and bytes in all.
    """
    if family.hub:
        from gradcascade.study.remote import open_hub

        return open_hub(study, family, watch)
    from gradcascade.sources.folder import discover

    return discover(
        study_path(study, family.path or "."),
        family=family.name,
        fields=family.fields,
        which=family.gradients,
        order=family.order,
        label=family.label,
        select=family.tensors,
        scales=family.scales,
        runs=family.runs,
        links=family.links,
        optimizer=family.optimizer.settings if family.optimizer else None,
    )


def run(
    study: Study,
    *,
    engine: str = "auto",
    threads: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    opened: Mapping[str, Source] | None = None,
    workers: int = 1,
    executor: str | None = None,
    stop: Callable[[], bool] = lambda: False,
    shard: Shard | None = None,
    scheduler: str | None = None,
) -> Outcome:
    """Measure what the plan asks for and the store does not have.

    Parameters
    ----------
    study : Study
        An open study.
    engine, threads : str, int or None
        See :class:`gradcascade.Probe`.
    progress : callable, optional
        Called with a :class:`Progress` after every cascade.
    opened : mapping of str to Source, optional
        Sources that are open already, by family. They are closed at the end, as all others are.
    workers : int
        Snapshots that are measured at once, each in a process of its own that holds one snapshot in memory. Threads
        are divided among them; results do not depend on it. With more than one, a script must call this under
        ``if __name__ == "__main__":``, because every worker imports the script again.
    executor : str, optional
        One of :data:`gradcascade.study.executors.EXECUTORS`; by default ``"serial"`` for one worker (where
        a family is on the hub ``"ahead"``, which holds two fields in memory), else ``"processes"``.
    stop : callable, optional
        Asked after every cascade; once it gives True the run ends as soon as every cascade under way is stored.
    shard : Shard, optional
        The part of the snapshots to measure; by default all.
    scheduler : str, optional
        Address of a Dask scheduler whose workers measure, or ``"local"`` for as many ``workers`` on this machine.

    Returns
    -------
    Outcome

    Raises
    ------
    InputError
        If a source cannot be opened, the store cannot be written, or the study's quarantine does not match the plan.
        A snapshot that cannot be measured does not stop the run: its reason is kept in the study. Snapshots in
        quarantine are not read.
    """
    chosen = choose_executor(study.plan, workers, executor, scheduler)
    where = {"address": scheduler} if scheduler else {}
    if workers > 1:
        threads = max(1, thread_count(threads) // workers)
    with ExitStack() as stack:
        sources = []
        for family in study.plan.families:
            source = (opened or {}).get(family.name) or open_source(study.folder, family)
            stack.callback(source.close)
            sources.append((family, source))
        probe = make_probe(study.plan, engine=engine, threads=threads)
        return _run(study, sources, probe, progress, partial(chosen.execute, workers=workers, **where), stop, shard)


def choose_executor(plan: Plan, workers: int, executor: str | None = None, scheduler: str | None = None) -> Executor:
    """The executor for so many workers; several cannot share what is fetched from the hub."""
    if workers < 1:
        raise InputError(f"workers must be at least 1, got {workers}")
    # The next snapshot on disk is there at once, and the memory of a second field would be wasted.
    alone = "ahead" if any(family.hub for family in plan.families) else "serial"
    usual = "dask" if scheduler else "processes" if workers > 1 else alone
    chosen = EXECUTORS.find(executor or usual, argument="executor")
    if scheduler and not chosen.addressed:
        raise InputError(f"the executor {chosen.name!r} has no scheduler; leave the address {scheduler!r} out")
    if chosen.elsewhere and (remote := [family.name for family in plan.families if family.hub]):
        raise InputError(
            f"the family {remote[0]!r} is on the hub, and several workers cannot share its downloads, of which at "
            "most two checkpoints are on disk at a time; leave --workers and --dask out, or measure the files "
            "from a folder"
        )
    return chosen


def _run(
    study: Study,
    sources: Sequence[tuple[FamilyPlan, Source]],
    probe: Probe,
    progress: Callable[[Progress], None] | None,
    execute: Execute,
    stop: Callable[[], bool],
    shard: Shard | None,
) -> Outcome:
    snapshots = [(family, snapshot) for family, source in sources for snapshot in source.snapshots()]
    snapshots, quarantined = _left_out(study, sources, snapshots)
    described = describe_fields(snapshot for _, snapshot in snapshots)
    refuse_differing(described)
    keep_contents(study.folder, described, copies_in(source for _, source in sources))
    missing: list[str] = []
    schedules: dict[str, dict[str, Any]] = {}
    for family, source in sources:
        tables, problems = [source.metrics()], list(source.complaints())
        if family.evaluations is not None:
            tables.append(_evaluations(study, family, source, problems.append))
        for table in tables:
            _say_missing_values(table)
            study.store.put_metrics(table)
        missing += [problem.sentence for problem in problems]
        schedules[family.name] = describe_schedule(source.folders(), published_name(family))
    keep_schedules(study.folder, schedules)
    writer = Writer(study.store)
    gaps = Gaps.of(study, snapshots)
    spans: dict[Name, set[int | None]] = {}
    for _, snapshot in snapshots:
        spans.setdefault(snapshot.name, set()).add(snapshot.span)
    if shard is not None:  # only now: what the other shards have decides about gaps and descriptions too
        every = [snapshot for _, snapshot in snapshots]
        shards = divide(every, shard.of, [source for _, source in sources])
        keep_division(study.folder, shard, every, shards)
        snapshots = [one for one, number in zip(snapshots, shards, strict=True) if number == shard.number]
    each = len(variants_of(study.plan, 0))
    tally = _Tally(each * len(snapshots))

    def works() -> Iterator[Work]:
        before: Source | None = None
        by_name = {family.name: source for family, source in sources}
        for number, (family, snapshot) in enumerate(snapshots):
            if before is not None and before is not by_name[family.name]:
                before.close()  # what one family leaves on disk must not lie beside the next
            before = by_name[family.name]
            known = described.get(Fields(snapshot.family, snapshot.scale, snapshot.run, snapshot.field))
            try:  # before the field is assembled in memory
                capacity.check_entries(known.description.entries if known else 0, probe.graph)
            except InputError as error:
                refuse(number, snapshot, "unmeasurable", str(error), each)
                continue
            variants = variants_of(study.plan, snapshot.step, snapshot.draw)
            jobs = tuple(Job(study.plan, probe, variant) for variant in variants)
            try:
                if gaps.measured_before(snapshot, jobs, writer.keys):
                    tally.known += each
                    continue
            except UnmeasurableError as error:
                refuse(number, snapshot, error.code, str(error), each)
                continue
            yield Work(number, family, snapshot, jobs)

    lacking: dict[Name, tuple[str, str]] = {}

    def refuse(number: int, at: SnapshotRef, code: str, reason: str, jobs: int) -> None:
        tally.refused[number] = f"{at.place}: {reason}"
        if at.draw is not None:  # the other draws of the step stay
            reason = "; ".join([*lacking.get(at.name, ())[1:], f"draw {at.draw} of the data: {reason}"])
            lacking[at.name] = code, reason
        study.store.refuse(at.name, at.span, code, reason, spans[at.name])
        tally.skipped += jobs

    jobs_done: Counter[int] = Counter()
    with closing(writer.measure(works(), execute, stop)) as events:
        for work, event in events:
            at = work.snapshot
            if isinstance(event, Read):
                conventions = work.family.conventions(at.scale, at.run, at.draw)
                study.store.set_current(at.name, at.span, event.contents, conventions, spans[at.name])
                if at.name in lacking:
                    study.store.refuse(at.name, at.span, *lacking[at.name], spans[at.name])
            elif isinstance(event, Measured):
                jobs_done[work.number] += 1
                tally.measured += event.row is not None
                tally.known += event.row is None
                if progress:
                    progress(Progress(tally.done, tally.total, at))
            elif isinstance(event, Refused):
                refuse(work.number, at, event.code, event.reason, each - jobs_done[work.number])
    refused = tuple(tally.refused[number] for number in sorted(tally.refused))
    left = tally.total - tally.done
    return Outcome(tally.measured, tally.known, (*missing, *refused), quarantined, tuple(missing), left)


@dataclass
class _Tally:
    """Cascades so far."""

    total: int
    measured: int = 0
    known: int = 0
    skipped: int = 0
    refused: dict[int, str] = field(default_factory=dict)

    @property
    def done(self) -> int:
        return self.measured + self.known + self.skipped


def _left_out(
    study: Study, sources: Sequence[tuple[FamilyPlan, Source]], snapshots: list[tuple[FamilyPlan, SnapshotRef]]
) -> tuple[list[tuple[FamilyPlan, SnapshotRef]], tuple[str, ...]]:
    """Take what is in quarantine out of the snapshots, and remember why; gives the others, and the sentences."""
    listed = quarantined(study.folder, sources, [snapshot for _, snapshot in snapshots])
    kept, sentences, spoiled = [], [], set[Path]()
    for family, snapshot in snapshots:
        entry = listed.get(snapshot.name)
        if entry is None:
            kept.append((family, snapshot))
            continue
        study.store.set_aside(snapshot.name, snapshot.span, "quarantine", f"in quarantine: {entry.reason}")
        sentences.append(f"{snapshot.place}: {entry.reason}")
        spoiled.update(snapshot.files if snapshot.field == GRADIENT else ())
    return [(family, _without(snapshot, spoiled)) for family, snapshot in kept], tuple(sentences)


def _without(snapshot: SnapshotRef, files: set[Path]) -> SnapshotRef:
    """The snapshot, not held against gradients that are in quarantine."""
    reader = snapshot.reader
    return replace(snapshot, reader=reader.without(files)) if isinstance(reader, GradientReader) else snapshot


def _say_missing_values(metrics: pl.DataFrame) -> None:
    """Warn once for all scales and steps at which an evaluation has no finite value."""
    gaps = metrics.filter(pl.col("value").is_null()).group_by("scale", "metric", maintain_order=True)
    found = [f"{scale} {metric} ({steps.height})" for (scale, metric), steps in gaps]
    if found:
        warnings.warn(
            f"evaluations without a finite value, by scale and metric, and at how many steps: {', '.join(found)}; "
            "they are kept as missing",
            MissingValueWarning,
            stacklevel=3,
        )


def _evaluations(study: Study, family: FamilyPlan, source: Source, report: Report) -> pl.DataFrame:
    """Metrics that the plan names, under the names of the family's own scales."""
    from gradcascade.study.evaluated import asked, names_of, read_and_match

    snapshots = {(family.name, one.scale, one.run, one.source) for one in source.snapshots()}
    path = study_path(study.folder, family.evaluations or ".")
    given = {family.name: family.evaluation_names or {}}
    matched = read_and_match(path, names_of([family], sorted(snapshots)), family.name, given, report=report)
    if matched.metrics.is_empty():
        raise InputError(
            f"the evaluations in {family.evaluations} are for {', '.join(matched.left_over)}, and the family "
            f"{family.name!r} has none of these scales; name another folder{asked(matched)}"
        )
    return matched.metrics
