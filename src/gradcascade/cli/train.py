"""``gradcascade train``: train and record a family."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradcascade.cli.options import Json, whole_numbers
from gradcascade.cli.progress import ProgressDisplay

if TYPE_CHECKING:
    from gradcascade.training.config import FamilyConfig


def train(
    out: Annotated[Path, typer.Option(help="Runs are written to OUT/runs, and continued if they are there.")] = Path(
        "nano"
    ),
    widths: Annotated[str, typer.Option(help="d_model of each scale, multiples of 24.")] = "24,48,96,192",
    steps: Annotated[int, typer.Option(help="Optimizer steps.")] = 200,
    record_every: Annotated[int, typer.Option(help="Steps between two records.")] = 20,
    batch: Annotated[int, typer.Option(help="Windows per batch.")] = 16,
    context: Annotated[int, typer.Option(help="Bytes per window.")] = 64,
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 2e-3,
    warmup: Annotated[int, typer.Option(help="Steps of warm-up.")] = 20,
    seed: Annotated[int, typer.Option(help="Seed of the weights and the batches.")] = 42,
    runs: Annotated[
        str, typer.Option(help="Trainings of each scale, one number or one for each width; seeds count up.")
    ] = "1",
    text: Annotated[
        list[Path] | None,
        typer.Option(help="Text to train on (repeatable; default: the sources of Python's library)."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a family of small decoders on text and record gradients, checkpoints and perplexities."""
    from gradcascade.training.config import FamilyConfig

    known = whole_numbers(widths, "--widths", "24,48,96")
    each = whole_numbers(runs, "--runs", "3,3,1")
    config = FamilyConfig(
        widths=known,
        runs=each * len(known) if len(each) == 1 else each,
        steps=steps,
        record_every=record_every,
        batch=batch,
        context=context,
        learning_rate=learning_rate,
        warmup=warmup,
        seed=seed,
        text=tuple(text or ()),
    )
    folders = train_with_progress(config, out)
    if as_json:
        typer.echo(json.dumps({"runs": [str(folder) for folder in folders]}))
    else:
        typer.echo(f"{len(folders)} runs in {out / 'runs'}; measure them with: gradcascade measure {out} --out STUDY")


def train_with_progress(config: FamilyConfig, out: Path) -> list[Path]:
    """Train with a bar for every model."""
    from gradcascade.training.family import StepReport, train_family

    with ProgressDisplay() as display:

        def show(report: StepReport) -> None:
            left = "" if report.seconds_left is None else f", {report.seconds_left:.0f} s left"
            display.update(f"training {report.scale}", report.step, report.total, f"loss {report.loss:.2f}{left}")

        return train_family(config, out, show)
