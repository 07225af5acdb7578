"""``gradcascade measure``: measure a source into a study."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradcascade.cli.options import (
    NO_FAMILY,
    NO_SOURCE,
    NULL_NAMES,
    Alpha,
    Engine,
    GraphKind,
    GraphSeed,
    Json,
    Links,
    MaxSteps,
    Quantile,
    Threads,
)
from gradcascade.cli.progress import ProgressDisplay
from gradcascade.cli.refusals import said
from gradcascade.cli.warmup import warm_up
from gradcascade.errors import InputError
from gradcascade.fields.nulls import NULLS
from gradcascade.probe.graphs import DEFAULT_GRAPH

if TYPE_CHECKING:
    from gradcascade.study.plan import FamilyPlan, Plan
    from gradcascade.study.runner import Outcome
    from gradcascade.study.shards import Shard
    from gradcascade.study.stopping import Stop

_SOURCES = "Published families (`gradcascade families` lists them), folders of runs, or one plan.toml."

_PLANNED = (
    "family", "nulls", "replicates", "seed", "fields", "tensors", "order", "links",
    "alpha", "quantile", "graph", "graph_seed", "max_steps",
)  # fmt: skip

_SHOWN = 10_000_000
"""Downloads of at least so many bytes are shown."""


def measure(
    context: typer.Context,
    sources: Annotated[list[str], typer.Argument(help=_SOURCES, metavar="SOURCE...")],
    out: Annotated[Path, typer.Option(help="Folder of the study; run the same command again to continue it.")],
    family: Annotated[str | None, typer.Option(help="Name of the family (default: found from the folder).")] = None,
    nulls: Annotated[
        str, typer.Option(help=f"Nulls to measure beside the real fields, from {NULL_NAMES}; '' for none.")
    ] = ("N0,N1,N2"),
    replicates: Annotated[int, typer.Option(min=1, help="Replicates of each null.")] = 1,
    seed: Annotated[int, typer.Option(help="Nulls are seeded with this number plus the step.")] = 42,
    fields: Annotated[
        str, typer.Option(help="Kinds of field: gradient, update, momentum, direction; separated by commas.")
    ] = "gradient,update",
    tensors: Annotated[
        list[str] | None,
        typer.Option(
            "--tensors",
            metavar="PATTERN",
            help="Names of the tensors to measure, with * and ?; '!PATTERN' excludes. May be repeated.",
        ),
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(
            help="Order of the tensors in a field: canonical, file, sorted, grouped or model; a study keeps its own.",
            show_default="canonical",
        ),
    ] = None,
    links: Links = False,
    alpha: Alpha = 0.3,
    quantile: Quantile = 0.9,
    graph: GraphKind = DEFAULT_GRAPH,
    graph_seed: GraphSeed = 42,
    max_steps: MaxSteps = 500,
    engine: Engine = "auto",
    threads: Threads = None,
    workers: Annotated[
        int,
        typer.Option(min=1, help="Snapshots measured at once, each in a process; threads are divided among them."),
    ] = 1,
    dask: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Measure by the workers of this Dask scheduler; local: by --workers of a cluster on this machine.",
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Measure one of N parts, into a study of its own in --out; slurm: the part of an array's task.",
        ),
    ] = None,
    journal: Annotated[
        str,
        typer.Option(
            help="How the store is written: wal, rollback (one process at a time), or auto: by the file system."
        ),
    ] = "auto",
    quarantine: Annotated[
        Path | None,
        typer.Option(help="List of snapshots to leave out, written by audit --out; it is copied into the study."),
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0.001, help="MB/s of downloads by which --dry-run tells the time of fetching.")
    ] = 50.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be measured, and measure nothing.")] = (
        False
    ),
    as_json: Json = False,
) -> None:
    """Measure every field of the sources and its nulls; each cascade is stored as soon as it is measured."""
    from gradcascade.study.plan import make_plan, read_plan

    part, out = _part(shard, out, dry_run)
    origins = {name: context.get_parameter_source(name) for name in _PLANNED}
    given = [name for name, origin in origins.items() if origin is not None and origin.name == "COMMANDLINE"]
    if len(sources) == 1 and sources[0].endswith(".toml"):
        plan_file = Path(sources[0])
        if given:
            option = "allow-links" if given[0] == "links" else given[0].replace("_", "-")
            raise InputError(f"--{option} is given beside {plan_file}, which decides it; set it in the plan instead")
        plan = read_plan(plan_file)
        moved = tuple(_moved(entry, plan_file.parent, out) for entry in plan.families)
        plan = plan.model_copy(update={"families": moved})
    else:
        chosen = _listed(nulls, NULLS.names)  # options before files
        kinds = fields if "fields" in given else None
        families = [_family(source, family, kinds, tuple(tensors or ()), order, out, links) for source in sources]
        settings = {"alpha": alpha, "quantile": quantile, "graph": graph, "graph_seed": graph_seed}
        asked = {
            "probe": {**settings, "max_steps": max_steps},
            "nulls": {"kinds": chosen, "replicates": replicates, "seed": seed},
            "families": [entry.model_dump() for entry in families],
        }
        plan = make_plan(asked, "these sources and options")
    if not plan.families:
        raise InputError(NO_FAMILY.format(sources[0]))
    from gradcascade.study.journal import rolls_back
    from gradcascade.study.quarantine import check_quarantine
    from gradcascade.study.runner import choose_executor
    from gradcascade.study.stopping import asked_to_stop
    from gradcascade.study.variants import make_probe

    make_probe(plan, engine=engine, threads=threads)  # complain about settings before anything is written
    choose_executor(plan, workers, scheduler=dask)
    rolls_back(out, journal)
    if quarantine is not None:
        check_quarantine(quarantine, plan)
    if dry_run:
        from gradcascade.cli.dry_run import describe

        describe(plan, out, threads, as_json, quarantine, rate)
        return
    with asked_to_stop() as stop:
        outcome = measure_plan(plan, out, engine, threads, quarantine, workers, stop, part, journal, dask)
    if as_json:
        done = {"measured": outcome.measured, "known": outcome.known, "left": outcome.left}
        typer.echo(json.dumps({**done, "refused": outcome.refused, "quarantined": outcome.quarantined}))
    else:
        if outcome.quarantined:
            listed = out / "quarantine.toml"
            typer.echo(f"{len(outcome.quarantined)} snapshots left out: in {listed}, or known to be corrupted")
        typer.echo(f"{outcome.measured} cascades measured, {outcome.known} known before; study: {out}")
    end_if_stopped(outcome, stop)
    if outcome.refused:
        missing = set(outcome.missing)
        raise InputError(said([words for words in outcome.refused if words not in missing], outcome.missing))


def _part(shard: str | None, out: Path, dry_run: bool) -> tuple[Shard | None, Path]:
    """The shard that is asked for, and the folder of its study."""
    if shard is None:
        return None, out
    from gradcascade.study.shards import SLURM, read_shard

    if dry_run:
        raise InputError("--dry-run tells what the whole plan takes; leave --shard out")
    part = read_shard(shard, os.environ)
    if shard == SLURM:
        task = os.environ["SLURM_ARRAY_TASK_ID"]
        typer.echo(f"gradcascade: {part}, since SLURM_ARRAY_TASK_ID is {task}", err=True)
    return part, part.folder(out)


def end_if_stopped(outcome: Outcome, stop: Stop) -> None:
    """Say how to go on where a signal ended the measurement, and exit as a shell reports that signal."""
    if outcome.left and stop.signal:
        typer.echo(
            f"gradcascade: stopped by {stop.signal.name} with {outcome.left} cascades still to be measured; "
            "everything measured is stored, and the same command continues",
            err=True,
        )
        raise typer.Exit(128 + stop.signal)


def measure_plan(
    plan: Plan,
    out: Path,
    engine: str = "auto",
    threads: int | None = None,
    quarantine: Path | None = None,
    workers: int = 1,
    stop: Callable[[], bool] = lambda: False,
    shard: Shard | None = None,
    journal: str = "auto",
    scheduler: str | None = None,
) -> Outcome:
    """Measure a plan into a study, with a progress bar; ``quarantine`` is a list to put into the study."""
    import numpy as np

    from gradcascade.study.quarantine import keep_quarantine
    from gradcascade.study.runner import Progress, open_source, run
    from gradcascade.study.study import Study
    from gradcascade.study.variants import make_probe

    with ProgressDisplay() as display:

        def watch(name: str, arrived: int, size: int) -> None:
            if not size:
                display.update("waiting", 0, 1, name)
            elif size > _SHOWN:
                display.update("fetching", arrived // 1_000_000, size // 1_000_000, f"MB {name}")

        def show(progress: Progress) -> None:
            display.update("measuring", progress.done, progress.total, progress.snapshot.place)

        # Complain about a source before anything is written.
        opened = {entry.name: open_source(out, entry, watch) for entry in plan.families}
        if engine in ("auto", "cpu"):
            warm_up(make_probe(plan, threads=threads), np.float32)
        with Study.create(out, plan, journal=journal) as study:
            if quarantine is not None:
                keep_quarantine(quarantine, out)
            return run(
                study,
                engine=engine,
                threads=threads,
                progress=show,
                opened=opened,
                workers=workers,
                stop=stop,
                shard=shard,
                scheduler=scheduler,
            )


def folder_family(
    folder: Path,
    study: Path,
    name: str,
    fields: tuple[str, ...],
    tensors: tuple[str, ...] = (),
    order: str = "canonical",
    links: bool = False,
) -> FamilyPlan:
    """Plan of a family that lies in a folder, with the path as seen from the study."""
    from gradcascade.study.plan import FamilyPlan

    return FamilyPlan(
        name=name, path=_relative(folder, study), fields=fields, tensors=tensors, order=order, links=links
    )


def _family(
    source: str,
    name: str | None,
    fields: str | None,
    tensors: tuple[str, ...],
    order: str | None,
    out: Path,
    links: bool,
) -> FamilyPlan:
    """Plan of one source; ``fields`` are None if the command line does not name any."""
    from gradcascade import families
    from gradcascade.sources.folder import discover
    from gradcascade.sources.snapshots import readable_kinds
    from gradcascade.study.plan import FamilyPlan, read_plan
    from gradcascade.study.presets import presets

    kinds = ("gradient", "update") if fields is None else _listed(fields, readable_kinds())
    if not kinds:
        raise InputError(f"--fields names no kind of field; choose from {', '.join(readable_kinds())}")
    if preset := presets().get(source):
        if fields is not None and not set(kinds) <= set(preset.fields):
            raise InputError(f"{source} has {' and '.join(preset.fields)} fields only; leave --fields out")
        if tensors:
            raise InputError(f"{source} has its published tensors; leave --tensors out")
        if order not in (None, preset.order):
            raise InputError(f"{source} has its tensors in the order {preset.order}; leave --order out")
        chosen = preset.fields if fields is None else kinds
        return preset.model_copy(update={"name": name or preset.name, "fields": chosen})
    folder = Path(source)
    if not folder.is_dir():
        raise InputError(NO_SOURCE.format(source, ", ".join(families.families())))
    known = read_plan(out / "plan.toml").families if (out / "plan.toml").is_file() else ()
    named = [entry.name for entry in known if entry.path == _relative(folder, out)]
    # What a study has keeps its name, whatever runs come beside it, and its order, whatever the default is now.
    found = discover(folder, family=name or (named[0] if len(named) == 1 else None), links=links).family
    default = str(FamilyPlan.model_fields["order"].default)
    kept = next((entry.order for entry in known if entry.name == found), default)
    return folder_family(folder, out, found, kinds, tensors, order or kept, links)


def _moved(entry: FamilyPlan, origin: Path, out: Path) -> FamilyPlan:
    """The family with paths as seen from the study, not from the plan's folder."""
    paths = {"path": entry.path, "evaluations": entry.evaluations}
    moved = {key: _relative(origin / path, out) for key, path in paths.items() if path is not None}
    return entry.model_copy(update=moved)


def _relative(folder: Path, study: Path) -> str:
    try:
        return Path(os.path.relpath(folder.resolve(), study.resolve())).as_posix()
    except ValueError:  # another drive
        return folder.resolve().as_posix()


def _listed(text: str, known: Sequence[str]) -> tuple[str, ...]:
    items = tuple(item.strip() for item in text.split(",") if item.strip())
    for item in items:
        if item not in known:
            raise InputError(f"{item!r} is unknown here; choose from {', '.join(known)}, separated by commas")
    return tuple(dict.fromkeys(items))
