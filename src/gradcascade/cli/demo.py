"""``gradcascade demo``: everything from text to a report, on real data."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradcascade.cli.fit import print_headline, report_data
from gradcascade.cli.measure import end_if_stopped, folder_family, measure_plan
from gradcascade.cli.options import Json
from gradcascade.cli.train import train_with_progress
from gradcascade.errors import InputError

if TYPE_CHECKING:
    from gradcascade.training.config import FamilyConfig


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the runs and the study; a second run continues it.")] = Path(
        "demo"
    ),
    quick: Annotated[bool, typer.Option("--quick", help="Smaller models and fewer steps.")] = False,
    runs: Annotated[
        int | None,
        typer.Option(
            help="Trainings of each of the two smallest scales; larger ones have fewer (default: 3, quick 1).", min=1
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a family, measure gradients and updates with their nulls, fit the exponents, write the report."""
    from gradcascade.report.page import write_report
    from gradcascade.study.plan import NullPlan, Plan
    from gradcascade.study.stopping import asked_to_stop
    from gradcascade.study.study import Study
    from gradcascade.training.config import FAMILY, FamilyConfig

    start = time.perf_counter()
    config = replace(FamilyConfig.quick(), runs=(runs or 1, runs or 1, 1)) if quick else FamilyConfig.demo(runs or 3)
    _check_runs(config, out / "runs")
    train_with_progress(config, out)
    folder = out / "study"
    nulls = NullPlan(replicates=1 if quick else 3)  # one realisation of a null is noisy
    # The family is recorded as Pico-LM is, so its fields have the order that Pico-LM's published ones have.
    family = folder_family(out / "runs", folder, FAMILY, ("gradient", "update"), order="file")
    with asked_to_stop() as stop:
        outcome = measure_plan(Plan(families=(family,), nulls=nulls), folder, stop=stop)
    end_if_stopped(outcome, stop)
    with Study.open(folder) as study:
        data = report_data(study)
    page = write_report(data, folder / "report")
    if as_json:
        typer.echo(json.dumps({"report": str(page), "study": str(folder), "summary": data.summary.to_dicts()}))
        return
    print_headline(data)
    typer.echo(f"report: {page}  ({time.perf_counter() - start:.0f} s)")


def _check_runs(config: FamilyConfig, folder: Path) -> None:
    """Refuse a folder with runs that were not asked for: they would be measured and change every number."""
    asked = {training.name for training in config.trainings}
    more = sorted(path.name for path in folder.glob("*") if path.name not in asked) if folder.is_dir() else []
    if more:
        raise InputError(
            f"{folder} also holds {', '.join(more)}; ask with --runs for as many runs as there are, or choose "
            "another folder with --out"
        )
