"""``gradcascade lab xor``: networks that learn XOR, measured before and after (arXiv:2604.04655)."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradcascade.cli.options import Json, whole_numbers
from gradcascade.cli.progress import ProgressDisplay

if TYPE_CHECKING:
    from gradcascade.training.labs.xor.config import XorConfig
    from gradcascade.training.labs.xor.lab import XorTables

BOTH = "published: what the probe's cascade leaves of the gradient enters the update; shadow: the probe only watches"


def lab_xor(
    out: Annotated[Path, typer.Option(help="Folder for trainings, tables and report; a second run continues it.")],
    quick: Annotated[
        bool, typer.Option("--quick", help="Three widths, two runs, 150 epochs: a test of the way, no measurement.")
    ] = False,
    widths: Annotated[str | None, typer.Option(help="Hidden units of each scale (default: the eight published).")] = (
        None
    ),
    runs: Annotated[int | None, typer.Option(min=1, help="Seeds of each width (default: 6, as published).")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs (default: 500, as published).")] = None,
    mode: Annotated[str | None, typer.Option(help=f"One or several of {BOTH} (default: both).")] = None,
    activation: Annotated[
        str | None, typer.Option(help="One or several of tanh, relu, sigmoid (not known; default: tanh,relu).")
    ] = None,
    init: Annotated[
        str | None, typer.Option(help="One or several of uniform, xavier, normal (not known; default: uniform).")
    ] = None,
    batch: Annotated[
        str | None, typer.Option(help="Patterns in a step: one or several of 4, 2, 1 (not known; default: 4).")
    ] = None,
    order: Annotated[
        str | None, typer.Option(help="Entries of the field: layers, or reversed (not known; default: layers).")
    ] = None,
    graphs: Annotated[
        str | None,
        typer.Option(help="Kinds of graph to measure on; published runs train on the first (default: five)."),
    ] = None,
    graph_seed: Annotated[int | None, typer.Option(help="Topology seed of the graphs (default: 42).")] = None,
    graph_per_run: Annotated[
        bool, typer.Option("--graph-per-run", help="A graph of its own for every run, in place of one for all.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train networks of 20 to 500 hidden units on XOR and set D before and after they learn beside arXiv:2604.04655.

    What the paper states is fixed: learning rate 0.5, binary cross-entropy, a snapshot every 10 epochs, threshold at
    the 90th percentile, alpha 0.3, at most 20 relaxation steps, five kinds of graph. What it leaves open, as far as
    its text is known to us, is an option.
    """
    from dataclasses import replace

    from gradcascade.study.stopping import asked_to_stop
    from gradcascade.training.labs.xor.config import XorConfig
    from gradcascade.training.labs.xor.lab import run_lab

    start = time.perf_counter()
    given = {
        "widths": widths and whole_numbers(widths, "--widths", "20,50,100"),
        "runs": runs,
        "epochs": epochs,
        "modes": _names(mode),
        "activations": _names(activation),
        "inits": _names(init),
        "batches": batch and whole_numbers(batch, "--batch", "4,1"),
        "order": order,
        "graph_kinds": _names(graphs),
        "graph_seed": graph_seed,
        "graph_per_run": graph_per_run or None,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    config = replace(XorConfig.quick() if quick else XorConfig(), **chosen)
    with asked_to_stop() as stop, ProgressDisplay() as display:
        tables = run_lab(config, out, lambda at: display.update("trainings", at.done, at.total, at.name), stop)
    if tables is None:
        typer.echo("gradcascade: stopped; every finished training is kept, and the same command continues", err=True)
        raise typer.Exit(128 + (stop.signal or 0))
    _report(config, tables, out, as_json, start)


def _names(text: str | None) -> tuple[str, ...] | None:
    """Names separated by commas."""
    return None if text is None else tuple(part.strip() for part in text.split(","))


def _report(config: XorConfig, tables: XorTables, out: Path, as_json: bool, start: float) -> None:
    from gradcascade.csvfile import write_csv
    from gradcascade.report.labs.xor.findings import XorFindings
    from gradcascade.report.labs.xor.page import headline, write_xor_page
    from gradcascade.training.labs.xor.transition import RULES, transitions

    families = [variant.name for variant in config.variants]
    series = {name: tables.series.filter(family=name) for name in families}
    moves = {rule: {name: transitions(series[name], config, rule) for name in families} for rule in RULES}
    findings = XorFindings(tables.cascades, tables.series, tables.gaussian, moves)
    main = tables.cascades.filter(graph=config.graph_kinds[0])
    write_csv(main.drop("graph"), out / "cascades.csv")
    write_csv(tables.series, out / "series.csv")
    page = write_xor_page(findings, out / "report", asdict(config))
    if as_json:
        found = {
            "report": str(page),
            "config": asdict(config),
            "phases": findings.phases.to_dicts(),
            "distribution": findings.distribution.to_dicts(),
            "gaussian": findings.control.to_dicts(),
            "learning": findings.learning.to_dicts(),
        }
        typer.echo(json.dumps(found))
        return
    for sentence in headline(findings):
        typer.echo(sentence)
    typer.echo(f"report: {page}  ({time.perf_counter() - start:.0f} s)")
