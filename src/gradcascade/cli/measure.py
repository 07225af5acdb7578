"""``gradcascade measure``: measure a source into a study."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradcascade.cli.options import Alpha, Engine, GraphKind, GraphSeed, Json, MaxSteps, Quantile, Threads
from gradcascade.cli.progress import ProgressDisplay
from gradcascade.errors import InputError

if TYPE_CHECKING:
    from gradcascade.study.plan import FamilyPlan, Plan
    from gradcascade.study.runner import Outcome
    from gradcascade.study.study import Study


_PLANNED = (
    "family", "nulls", "replicates", "seed", "fields", "alpha", "quantile", "graph", "graph_seed", "max_steps"
)  # fmt: skip


def measure(
    context: typer.Context,
    sources: Annotated[list[str], typer.Argument(help="Folders of runs, or one plan.toml.", metavar="SOURCE...")],
    out: Annotated[Path, typer.Option(help="Folder of the study; the same command continues it.")],
    family: Annotated[str | None, typer.Option(help="Name of the family (default: found from the folder).")] = None,
    nulls: Annotated[str, typer.Option(help="Nulls to measure beside the real fields; an empty text for none.")] = (
        "N0,N1,N2"
    ),
    replicates: Annotated[int, typer.Option(min=1, help="Replicates of each null.")] = 1,
    seed: Annotated[int, typer.Option(help="Nulls are seeded with this number plus the step.")] = 42,
    fields: Annotated[str, typer.Option(help="Kinds of field: gradient, update, or both.")] = "gradient,update",
    alpha: Alpha = 0.3,
    quantile: Quantile = 0.9,
    graph: GraphKind = "barabasi-albert",
    graph_seed: GraphSeed = 42,
    max_steps: MaxSteps = 500,
    engine: Engine = "auto",
    threads: Threads = None,
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
        plan = make_plan(
            {
                "probe": {
                    "alpha": alpha,
                    "quantile": quantile,
                    "graph": graph,
                    "graph_seed": graph_seed,
                    "max_steps": max_steps,
                },
                "nulls": {"kinds": _listed(nulls, ("N0", "N1", "N2")), "replicates": replicates, "seed": seed},
                "families": [_family(source, family, fields, out).model_dump() for source in sources],
            },
            "these sources and options",
        )
    if not plan.families:
        raise InputError(f"{sources[0]} names no family; add a [[families]] section with name and path")
    from gradcascade.study.variants import make_probe

    make_probe(plan, engine=engine, threads=threads)  # complain about settings before anything is written
    if dry_run:
        _describe(plan, out, quarantine, as_json)
        return
    from gradcascade.study.quarantine import check_quarantine, keep_quarantine
    from gradcascade.study.runner import open_source
    from gradcascade.study.study import Study

    for entry in plan.families:
        open_source(out, entry)  # complain about a source before anything is written
    if quarantine is not None:
        check_quarantine(quarantine, plan)
    with Study.create(out, plan) as study:
        if quarantine is not None:
            keep_quarantine(quarantine, out)
        outcome = run_with_progress(study, engine, threads)
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
        count = len(outcome.refused)
        snapshots = "1 snapshot" if count == 1 else f"{count} snapshots"
        raise InputError(f"{snapshots} could not be measured: " + "; ".join(outcome.refused))


def run_with_progress(study: Study, engine: str = "auto", threads: int | None = None) -> Outcome:
    """Run a study with a progress bar."""
    from gradcascade.study.runner import Progress, run

    with ProgressDisplay() as display:

        def show(progress: Progress) -> None:
            at = progress.snapshot
            display.update("measuring", progress.done, progress.total, f"{at.scale} step {at.step} {at.field}")

        return run(study, engine=engine, threads=threads, progress=show)


def folder_family(folder: Path, study: Path, name: str, fields: tuple[str, ...]) -> FamilyPlan:
    """Plan of a family that lies in a folder, with the path as seen from the study."""
    from gradcascade.study.plan import FamilyPlan

    return FamilyPlan.model_validate({"name": name, "path": _relative(folder, study), "fields": fields})


def _family(source: str, name: str | None, fields: str, out: Path) -> FamilyPlan:
    from gradcascade.sources.folder import discover

    folder = Path(source)
    if not folder.is_dir():
        hint = " (published families are measured from a folder so far)" if source in ("pico-lm", "pythia") else ""
        raise InputError(f"{source} is not a folder of runs{hint}; give a folder, or a plan.toml")
    kinds = _listed(fields, ("gradient", "update"))
    if not kinds:
        raise InputError("--fields names no kind of field; choose gradient, update, or both")
    found = discover(folder, family=name)
    return folder_family(folder, out, found.family, kinds)


def _moved(entry: FamilyPlan, origin: Path, out: Path) -> FamilyPlan:
    return entry.model_copy(update={"path": _relative(origin / entry.path, out)})


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


def _describe(plan: Plan, out: Path, quarantine: Path | None, as_json: bool) -> None:
    from gradcascade.study.quarantine import quarantine_reasons
    from gradcascade.study.runner import open_source
    from gradcascade.study.variants import variants_of

    rows = []
    sources = [(entry, open_source(out, entry)) for entry in plan.families]
    snapshots = [snapshot for _, source in sources for snapshot in source.snapshots()]
    left_out = quarantine_reasons(out, sources, snapshots, quarantine)
    for snapshot in snapshots:
        if (snapshot.family, snapshot.scale, snapshot.step, snapshot.field) not in left_out:
            size = sum(file.stat().st_size for file in snapshot.files)
            rows.append((snapshot.family, snapshot.scale, snapshot.field, snapshot.step, size))
    cascades = len(rows) * len(variants_of(plan, 0))
    read = sum(row[-1] for row in rows)
    if as_json:
        typer.echo(json.dumps({"snapshots": len(rows), "cascades": cascades, "bytes_read": read}))
        return
    for group in sorted({row[:3] for row in rows}):
        steps = [row[3] for row in rows if row[:3] == group]
        typer.echo(f"{' / '.join(group)}: {len(steps)} steps, {min(steps)} to {max(steps)}")
    typer.echo(f"{len(rows)} snapshots, {cascades} cascades, {read / 1e6:,.1f} MB to read")
