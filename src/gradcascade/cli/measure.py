"""``gradcascade measure``: measure a source into a study."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradcascade.cli.options import NULL_NAMES, Alpha, Engine, GraphKind, GraphSeed, Json, MaxSteps, Quantile, Threads
from gradcascade.cli.progress import ProgressDisplay
from gradcascade.cli.refusals import said
from gradcascade.cli.warmup import warm_up
from gradcascade.errors import InputError
from gradcascade.fields.nulls import NULLS
from gradcascade.probe.graphs import DEFAULT_GRAPH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gradcascade.sources.base import Source
    from gradcascade.study.plan import FamilyPlan, Plan
    from gradcascade.study.runner import Outcome
    from gradcascade.study.study import Study

_SOURCES = "Published families (`gradcascade families` lists them), folders of runs, or one plan.toml."

_PLANNED = (
    "family", "nulls", "replicates", "seed", "fields", "tensors", "order",
    "alpha", "quantile", "graph", "graph_seed", "max_steps",
)  # fmt: skip


_SHOWN = 10_000_000
"""Bytes from which on a file's arrival is shown."""


def measure(
    context: typer.Context,
    sources: Annotated[list[str], typer.Argument(help=_SOURCES, metavar="SOURCE...")],
    out: Annotated[Path, typer.Option(help="Folder of the study; the same command continues it.")],
    family: Annotated[str | None, typer.Option(help="Name of the family (default: found from the folder).")] = None,
    nulls: Annotated[
        str, typer.Option(help=f"Nulls to measure beside the real fields, of {NULL_NAMES}; '' for none.")
    ] = ("N0,N1,N2"),
    replicates: Annotated[int, typer.Option(min=1, help="Replicates of each null.")] = 1,
    seed: Annotated[int, typer.Option(help="Nulls are seeded with this number plus the step.")] = 42,
    fields: Annotated[str, typer.Option(help="Kinds of field: gradient, update, or both.")] = "gradient,update",
    tensors: Annotated[
        list[str] | None,
        typer.Option(
            "--tensors",
            metavar="PATTERN",
            help="Tensors to take, by name (*, ?); '!PATTERN' leaves some out. May be given repeatedly.",
        ),
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(
            help="Order of the tensors in a field: canonical, file, sorted, grouped or model; a study keeps its own.",
            show_default="canonical",
        ),
    ] = None,
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
    quarantine: Annotated[
        Path | None,
        typer.Option(help="Snapshots to leave out, as audit --out writes them; the study keeps the list."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be measured, and measure nothing.")] = (
        False
    ),
    as_json: Json = False,
) -> None:
    """Measure every field of the sources and its nulls; each cascade is kept as soon as it is there."""
    from gradcascade.study.plan import make_plan, read_plan

    if len(sources) == 1 and sources[0].endswith(".toml"):
        plan_file = Path(sources[0])
        for name in _PLANNED:
            source = context.get_parameter_source(name)
            if source is not None and source.name == "COMMANDLINE":
                option = name.replace("_", "-")
                raise InputError(
                    f"--{option} is given beside {plan_file}, which decides it; set it in the plan instead"
                )
        plan = read_plan(plan_file)
        plan = plan.model_copy(
            update={"families": tuple(_moved(entry, plan_file.parent, out) for entry in plan.families)}
        )
    else:
        given = context.get_parameter_source("fields")
        chosen = fields if given is not None and given.name == "COMMANDLINE" else None
        plan = make_plan(
            {
                "probe": {
                    "alpha": alpha,
                    "quantile": quantile,
                    "graph": graph,
                    "graph_seed": graph_seed,
                    "max_steps": max_steps,
                },
                "nulls": {"kinds": _listed(nulls, NULLS.names), "replicates": replicates, "seed": seed},
                "families": [
                    _family(source, family, chosen, tuple(tensors or ()), order, out).model_dump()
                    for source in sources
                ],
            },
            "these sources and options",
        )
    if not plan.families:
        raise InputError(f"{sources[0]} names no family; add a [[families]] section with name, and path or hub")
    from gradcascade.study.quarantine import check_quarantine
    from gradcascade.study.runner import choose_executor
    from gradcascade.study.variants import make_probe

    make_probe(plan, engine=engine, threads=threads)  # complain about settings before anything is written
    choose_executor(plan, workers)
    if quarantine is not None:
        check_quarantine(quarantine, plan)
    if dry_run:
        from gradcascade.cli.dry_run import describe

        describe(plan, out, threads, as_json, quarantine)
        return
    outcome = _measured(plan, out, engine, threads, quarantine, workers)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "measured": outcome.measured,
                    "known": outcome.known,
                    "refused": list(outcome.refused),
                    "quarantined": list(outcome.quarantined),
                }
            )
        )
    else:
        if outcome.quarantined:
            typer.echo(
                f"{len(outcome.quarantined)} snapshots left out by {out / 'quarantine.toml'} or known corruption"
            )
        typer.echo(f"{outcome.measured} cascades measured, {outcome.known} known before; study: {out}")
    if outcome.refused:
        missing = set(outcome.missing)
        raise InputError(said([words for words in outcome.refused if words not in missing], outcome.missing))


def run_with_progress(study: Study, engine: str = "auto", threads: int | None = None) -> Outcome:
    """Run a study with a progress bar."""
    _get_ready(study.plan, engine, threads)
    with ProgressDisplay() as display:
        return _run(study, engine, threads, display, {})


def _get_ready(plan: Plan, engine: str, threads: int | None) -> None:
    import numpy as np

    from gradcascade.study.variants import make_probe

    if engine in ("auto", "cpu"):
        warm_up(make_probe(plan, threads=threads), np.float32)


def _measured(
    plan: Plan, out: Path, engine: str, threads: int | None, quarantine: Path | None, workers: int
) -> Outcome:
    from gradcascade.study.quarantine import keep_quarantine
    from gradcascade.study.runner import open_source
    from gradcascade.study.study import Study

    with ProgressDisplay() as display:

        def watch(name: str, arrived: int, size: int) -> None:
            if not size:
                display.update("waiting", 0, 1, name)
            elif size > _SHOWN:
                display.update("fetching", arrived // 1_000_000, size // 1_000_000, f"MB {name}")

        # Complain about a source before anything is written.
        opened = {entry.name: open_source(out, entry, watch) for entry in plan.families}
        _get_ready(plan, engine, threads)
        with Study.create(out, plan) as study:
            if quarantine is not None:
                keep_quarantine(quarantine, out)
            return _run(study, engine, threads, display, opened, workers)


def _run(
    study: Study,
    engine: str,
    threads: int | None,
    display: ProgressDisplay,
    opened: Mapping[str, Source],
    workers: int = 1,
) -> Outcome:
    from gradcascade.study.runner import Progress, run

    def show(progress: Progress) -> None:
        at = progress.snapshot
        display.update("measuring", progress.done, progress.total, at.place)

    return run(study, engine=engine, threads=threads, progress=show, opened=opened, workers=workers)


def folder_family(
    folder: Path,
    study: Path,
    name: str,
    fields: tuple[str, ...],
    tensors: tuple[str, ...] = (),
    order: str = "canonical",
) -> FamilyPlan:
    """Plan of a family that lies in a folder, with the path as seen from the study."""
    from gradcascade.study.plan import FamilyPlan

    path = _relative(folder, study)
    given = {"name": name, "path": path, "fields": fields, "tensors": tensors, "order": order}
    return FamilyPlan.model_validate(given)


def _family(
    source: str, name: str | None, fields: str | None, tensors: tuple[str, ...], order: str | None, out: Path
) -> FamilyPlan:
    """Plan of one source; ``fields`` are those asked for on the command line, if any."""
    from gradcascade.study.presets import presets

    kinds = ("gradient", "update") if fields is None else _listed(fields, ("gradient", "update"))
    if not kinds:
        raise InputError("--fields names no kind of field; choose gradient, update, or both")
    if preset := presets().get(source):
        if fields is not None and kinds != preset.fields:
            raise InputError(f"{source} has {preset.fields[0]} fields only; leave --fields out")
        if tensors:
            raise InputError(f"{source} has its published tensors; leave --tensors out")
        if order not in (None, preset.order):
            raise InputError(f"{source} has its tensors in the order {preset.order}; leave --order out")
        return preset.model_copy(update={"name": name or preset.name})
    from gradcascade.sources.folder import discover

    folder = Path(source)
    if not folder.is_dir():
        raise InputError(
            f"{source} is not a folder of runs, nor one of {', '.join(presets())}; give one of them, or a plan.toml"
        )
    found = discover(folder, family=name or _named_before(folder, out))
    return folder_family(folder, out, found.family, kinds, tensors, order or _order_before(found.family, out))


def _order_before(family: str, out: Path) -> str:
    """Order of tensors under which a study has a family; it stays, whatever the default is now."""
    from gradcascade.study.plan import FamilyPlan, read_plan

    known = read_plan(out / "plan.toml").families if (out / "plan.toml").is_file() else ()
    default = str(FamilyPlan.model_fields["order"].default)
    return next((plan.order for plan in known if plan.name == family), default)


def _named_before(folder: Path, out: Path) -> str | None:
    """Name under which a study has the runs of a folder: it stays, whatever runs come beside them."""
    from gradcascade.study.plan import read_plan

    if not (out / "plan.toml").is_file():
        return None
    place = _relative(folder, out)
    names = [entry.name for entry in read_plan(out / "plan.toml").families if entry.path == place]
    return names[0] if len(names) == 1 else None


def _moved(entry: FamilyPlan, origin: Path, out: Path) -> FamilyPlan:
    paths = {"path": entry.path, "evaluations": entry.evaluations}
    return entry.model_copy(
        update={key: _relative(origin / path, out) for key, path in paths.items() if path is not None}
    )


def _relative(folder: Path, study: Path) -> str:
    try:
        return Path(os.path.relpath(folder.resolve(), study.resolve())).as_posix()
    except ValueError:  # another drive
        return folder.resolve().as_posix()


def _listed(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    items = tuple(item.strip() for item in text.split(",") if item.strip())
    for item in items:
        if item not in known:
            raise InputError(f"{item!r} is unknown here; choose from {', '.join(known)}, separated by commas")
    return tuple(dict.fromkeys(items))
