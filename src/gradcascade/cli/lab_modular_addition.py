"""``gradcascade lab modular-addition``: transformers that grok addition modulo p, and D about their transition."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradcascade.cli.options import Alpha, GraphKind, GraphSeed, Json, MaxSteps, Quantile, whole_numbers
from gradcascade.cli.progress import ProgressDisplay
from gradcascade.errors import InputError
from gradcascade.probe.graphs import DEFAULT_GRAPH

if TYPE_CHECKING:
    from gradcascade.report.page_report import PageReport
    from gradcascade.training.labs.modular_addition import Overall
    from gradcascade.training.labs.modular_plan import ModularPlan

_QUICK_NEAR = 20


def lab_modular_addition(
    out: Annotated[Path, typer.Option(help="Folder of the lab; the same command continues it.")] = Path(
        "modular-addition"
    ),
    quick: Annotated[
        bool, typer.Option("--quick", help="p = 17, three tiny widths, two seeds: a test of the whole way, no claim.")
    ] = False,
    prime: Annotated[int, typer.Option(help="p, an odd prime.")] = 59,
    share: Annotated[float, typer.Option(help="Share of the pairs to train on.")] = 0.8,
    widths: Annotated[str, typer.Option(help="d_model of each scale, multiples of --heads.")] = "24,32,40,48,64,96",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each width.")] = 3,
    heads: Annotated[int, typer.Option(help="Attention heads.")] = 4,
    learning_rate: Annotated[float, typer.Option(help="Of AdamW, on all training pairs at once.")] = 1e-3,
    weight_decay: Annotated[float, typer.Option(help="Of AdamW.")] = 1.0,
    steps: Annotated[int, typer.Option(help="Most steps of a run that does not grok.")] = 3000,
    threshold: Annotated[float, typer.Option(help="Test accuracy above which the transition is passed.")] = 0.99,
    after: Annotated[int, typer.Option(help="Steps that a run goes on after its transition.")] = 150,
    every: Annotated[int, typer.Option(help="Steps between two measurements.")] = 10,
    small_share: Annotated[float, typer.Option(help="Share of the pairs in the control that trains on few.")] = 0.2,
    near: Annotated[
        int, typer.Option(min=1, help="Steps on either side of the transition that the main answer rests on.")
    ] = 100,
    alpha: Alpha = 0.3,
    quantile: Quantile = 0.9,
    graph: GraphKind = DEFAULT_GRAPH,
    graph_seed: GraphSeed = 42,
    max_steps: MaxSteps = 500,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Runs at once, each in a process with one thread (default: all cores).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train transformers of one block until they grok addition modulo p, and measure D before and after.

    With the controls random-answers (the same, with answers drawn at random) and small-share (few pairs, no weight
    decay). --quick has settings of its own.
    """
    from gradcascade.training.family import require_torch
    from gradcascade.training.labs.modular_plan import ModularPlan, modular_plan

    require_torch()
    probe = {"alpha": alpha, "quantile": quantile, "graph": graph, "graph_seed": graph_seed, "max_steps": max_steps}
    plan = modular_plan(
        "lab modular-addition",
        prime=prime,
        share=share,
        widths=whole_numbers(widths, "--widths", "24,48,96"),
        seeds=tuple(range(seeds)),
        heads=heads,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        steps=steps,
        threshold=threshold,
        after=after,
        every=every,
        small_share=small_share,
        probe=probe,
    )
    if quick:
        if plan != ModularPlan():
            raise InputError("--quick has settings of its own; leave out --quick, or the options beside it")
        plan, near = ModularPlan.quick(), _QUICK_NEAR
    if near > plan.after:
        raise InputError(f"--near {near} asks for more steps than runs make after it; raise --after {plan.after}")
    start = time.perf_counter()
    _train(plan, out, workers)
    report = _report(plan, out, near)
    seconds = time.perf_counter() - start
    if as_json:
        typer.echo(json.dumps({"study": str(out / "study"), "seconds": round(seconds, 1), **report.to_dict()}))
        return
    for sentence in report.headline:
        typer.echo(sentence)
    if quick:
        typer.echo("these are numbers of --quick: they show that everything works, and nothing else")
    typer.echo(f"report: {report.page}  ({seconds:.0f} s)")


def _train(plan: ModularPlan, out: Path, workers: int | None) -> None:
    import numpy as np

    from gradcascade.cli.warmup import warm_up
    from gradcascade.study.stopping import asked_to_stop
    from gradcascade.study.variants import make_probe
    from gradcascade.training.labs.modular_addition import run_modular_addition

    with asked_to_stop() as stop:
        warm_up(make_probe(plan.study(), threads=1), np.float32)
        with ProgressDisplay() as display:
            whole = run_modular_addition(plan, out, workers, lambda found: _show(display, found), stop)
    if not whole:
        name = stop.signal.name if stop.signal else "a signal"
        typer.echo(f"gradcascade: stopped by {name}; the same command continues where every run is", err=True)
        raise typer.Exit(128 + (stop.signal or 0))


def _show(display: ProgressDisplay, found: Overall) -> None:
    latest = found.latest
    note = f"{latest.spec.label} step {latest.step} loss {latest.loss:.2g}" if latest else ""
    display.update("runs", found.done, found.total, note)


def _report(plan: ModularPlan, out: Path, near: int) -> PageReport:
    from gradcascade.report.labs.modular.findings import ModularFindings
    from gradcascade.report.labs.modular.page import write_modular_page
    from gradcascade.study.study import Study
    from gradcascade.training.labs.modular_addition import LAB, STUDY
    from gradcascade.training.labs.modular_plan import GROKKING
    from gradcascade.training.plan_folder import plan_toml

    with Study.open(out / STUDY) as study:
        findings = ModularFindings(study.cascades(), study.metrics(), GROKKING, plan.threshold, near)
    told: dict[str, Any] = json.loads((out / LAB).read_bytes())
    notes = [f"{len(told['runs'])} runs, {told['cpu_seconds']:,.0f} CPU seconds of training and measuring"]
    return write_modular_page(findings, out / "report", notes, plan_toml(plan))
