"""``gradcascade experiment``: matched runs by optimizer, measured from a batch's gradient to updates."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradcascade.cli.options import Json
from gradcascade.cli.progress import ProgressDisplay
from gradcascade.errors import InputError

if TYPE_CHECKING:
    from gradcascade.training.experiment.engine import Overall
    from gradcascade.training.experiment.plan import ExperimentPlan


def experiment(
    plan_file: Annotated[
        Path | None, typer.Argument(metavar="[PLAN]", help="Plan as TOML; what it leaves out has the default.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the experiment; the same command continues it.")] = Path(
        "experiment"
    ),
    quick: Annotated[
        bool, typer.Option("--quick", help="Three small scales, two seeds, few steps: a test of the whole way.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Runs at once, each in a process with one thread (default: all cores).")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say how many runs and cascades, how long and how much disk; run nothing."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Train matched runs by optimizer, schedule, scale and seed, and measure every kind of field on the way."""
    from gradcascade.study.stopping import asked_to_stop
    from gradcascade.training.experiment.plan import ExperimentPlan, read_experiment
    from gradcascade.training.family import require_torch

    if plan_file is not None and quick:
        raise InputError("--quick has a plan of its own; leave out PLAN or --quick")
    require_torch()
    plan = ExperimentPlan.quick() if quick else read_experiment(plan_file) if plan_file else ExperimentPlan()
    if dry_run:
        _describe(plan, workers, as_json)
        return
    start = time.perf_counter()
    from gradcascade.training.experiment.engine import run_experiment

    with asked_to_stop() as stop:
        _warm_up(plan)
        with ProgressDisplay() as display:
            outcome = run_experiment(plan, out, workers, lambda found: _show(display, found), stop)
    if not outcome.finished:
        name = stop.signal.name if stop.signal else "a signal"
        typer.echo(f"gradcascade: stopped by {name}; the same command continues where every run is", err=True)
        raise typer.Exit(128 + (stop.signal or 0))
    from gradcascade.report.experiment import write_experiment

    report = write_experiment(out)
    seconds = time.perf_counter() - start
    if as_json:
        told = {"study": str(out / "study"), "notes": list(outcome.notes), "seconds": round(seconds, 1)}
        typer.echo(json.dumps(told | {"report": report.to_dict()}))
        return
    for line in (*outcome.notes, *report.headline):
        typer.echo(line)
    typer.echo(f"report: {report.page}  ({seconds:.0f} s)")


def _warm_up(plan: ExperimentPlan) -> None:
    import numpy as np

    from gradcascade.cli.warmup import warm_up
    from gradcascade.study.variants import make_probe

    warm_up(make_probe(plan.study(), threads=1), np.float32)


def _show(display: ProgressDisplay, found: Overall) -> None:
    latest, said = found.latest, []
    if latest is not None:
        loss = "" if math.isnan(latest.loss) else f" loss {latest.loss:.2f}"
        said.append(f"{latest.spec.label} step {latest.step}{loss}")
    if found.seconds_left is not None:
        said.append(f"{_duration(found.seconds_left)} left")
    display.update(found.phase, found.done, found.total, ", ".join(said))


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _describe(plan: ExperimentPlan, workers: int | None, as_json: bool) -> None:
    """Say what an experiment takes."""
    from gradcascade.scaling.ladder_power import RUN_SD
    from gradcascade.training.experiment.estimate import estimate, told

    found, smallest = estimate(plan, workers), _smallest(plan)
    if as_json:
        typer.echo(json.dumps(vars(found) | {"smallest_difference": smallest}))
        return
    for line in told(found):
        typer.echo(line)
    if smallest is not None:
        typer.echo(
            f"a difference of z of {smallest:.3f} between two fields is shown in four of five such experiments, "
            f"if runs of a scale differ by {RUN_SD:.0%}"
        )


def _smallest(plan: ExperimentPlan) -> float | None:
    """The smallest difference of z that the runs can show; None with too few scales or runs for an error."""
    from gradcascade.scaling.ladder_power import planned_smallest
    from gradcascade.training.experiment.plan import entries

    try:
        return planned_smallest([entries(width) for width in plan.widths], len(plan.seeds))
    except InputError:
        return None
