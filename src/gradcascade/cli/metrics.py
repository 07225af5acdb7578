"""``gradcascade metrics``: external performance numbers of a study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradcascade.cli.options import Json, StudyFolder
from gradcascade.errors import InputError

if TYPE_CHECKING:
    import polars as pl


def metrics(
    study: StudyFolder,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE...]",
            help="Metrics to read: .csv, .parquet, results of lm-evaluation-harness, or runs with eval_results.",
        ),
    ] = None,
    family: Annotated[str | None, typer.Option(help="Family of the metrics, if the file does not name it.")] = None,
    scale: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCALE=NAME", help="Name that a scale (or a run, SCALE:RUN) has in the files; repeatable."
        ),
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="Metric to take, by its column; repeatable. By default all.")
    ] = None,
    step: Annotated[
        int | None, typer.Option(min=0, help="Training step of results of the harness that name none themselves.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Read external performance numbers into a study, and show how they scale with model size."""
    from gradcascade.performance.metrics import metric_exponents, metrics_over_runs
    from gradcascade.study.study import Study

    names = _names(scale or [])
    attached = []
    with Study.open(study) as opened:
        for path in files or []:
            found, others = opened.attach(path, family, names, metric or (), step)
            attached.append({"file": str(path), "values": found.height, "left_over": others})
            if not as_json:
                rest = f"; not measured here, left out: {', '.join(others)}" if others else ""
                typer.echo(f"{path}: {found.height} values of {_listed(found, 'metric')}{rest}")
        table = opened.metrics()
        exponents = metric_exponents(metrics_over_runs(table), opened.cascades())
    if as_json:
        answers = {"attached": attached, "metrics": table.to_dicts(), "exponents": exponents.to_dicts()}
        typer.echo(json.dumps(answers))
    elif table.is_empty():
        typer.echo(f"the study {study} has no metrics; give a file of metrics after it to add some")
    else:
        _print(table, exponents)


def _names(pairs: list[str]) -> dict[str, str]:
    """Scales and the names given for them."""
    names: dict[str, str] = {}
    for pair in pairs:
        label, equals, name = pair.partition("=")
        if not (label and equals and name):
            raise InputError(f"--scale {pair!r} does not say which name a scale has; write --scale d24=baseline-d24")
        if names.get(label, name) != name:
            raise InputError(f"--scale gives {label} two names, {names[label]} and {name}; give it one")
        names[label] = name
    if twice := sorted({name for name in names.values() if list(names.values()).count(name) > 1}):
        raise InputError(f"--scale gives the name {twice[0]} to two scales; each has its own evaluations")
    return names


def _print(table: pl.DataFrame, exponents: pl.DataFrame) -> None:
    for rows in table.partition_by("family", "metric", maintain_order=True):
        name, metric, steps = rows["family"][0], rows["metric"][0], rows["step"].unique()
        typer.echo(
            f"{name}, {metric}: {rows.height} values of {_listed(rows, 'scale')} at {steps.len()} steps, "
            f"{steps.min():,} to {steps.max():,}"
        )
        own = exponents.filter(exponents["family"] == name, exponents["metric"] == metric)
        known = own.drop_nulls("value")
        if known.is_empty():
            typer.echo(f"  no slope over model size: {own['reason'][-1] if own.height else 'nothing was measured'}")
            continue
        values = known["value"].to_list()
        above = sum(value > 0 for value in values)
        counted = f"above zero at {above} of {len(values)} steps"
        typer.echo(f"  slope of its logarithm on log N: {counted}; {_last(known.row(-1, named=True))}")


def _last(row: dict[str, Any]) -> str:
    fit = "R2 undefined" if row["r2"] is None else f"R2 {row['r2']:.3f}"
    return f"at step {row['step']:,} {row['value']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}], {fit}"


def _listed(table: pl.DataFrame, column: str) -> str:
    return ", ".join(table[column].unique(maintain_order=True).to_list())
