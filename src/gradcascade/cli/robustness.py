"""``gradcascade robustness``: how far each choice of the measurement moves the exponents of a study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradcascade.cli.columns import cells
from gradcascade.cli.options import Engine, Json, Threads
from gradcascade.cli.progress import ProgressDisplay
from gradcascade.cli.refusals import said
from gradcascade.errors import InputError
from gradcascade.fields.kinds import field_plural
from gradcascade.vocabulary import SHOWN_EXPONENTS

if TYPE_CHECKING:
    from gradcascade.study.robustness import Robustness
    from gradcascade.study.study import Study

_NOTE = (
    "95 % intervals over these steps: of twenty choices that change nothing, one will seem to move. "
    "beta moves as delta."
)


def robustness(
    study: Annotated[Path, typer.Argument(help="Folder of the study; its sources must still be there.")],
    steps: Annotated[int, typer.Option(min=1, help="Steps of each family and field, evenly over the window.")] = 8,
    replicates: Annotated[int, typer.Option(min=1, help="Replicates of each null.")] = 3,
    engine: Engine = "auto",
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Measure a sample of steps with other graphs, seeds, alpha, quantiles and nulls; print what moves."""
    from gradcascade.study.study import Study

    with Study.open(study) as opened:
        found = _measured(opened, steps, replicates, engine, threads)
        probe = opened.plan.probe
    if as_json:
        named = {"measured": found.measured, "known": found.known, "refused": list(found.refused)}
        typer.echo(json.dumps({**named, "robustness": found.table.to_dicts()}))
    else:
        settings = f"alpha {probe.alpha:g}, quantile {probe.quantile:g}, {probe.graph} graph, seed {probe.graph_seed}"
        _print(found, settings)
    if found.refused:
        raise InputError(said(found.refused))


def _measured(study: Study, steps: int, replicates: int, engine: str, threads: int | None) -> Robustness:
    import numpy as np

    from gradcascade.cli.warmup import warm_up
    from gradcascade.study.robustness import robustness
    from gradcascade.study.runner import Progress, open_source
    from gradcascade.study.variants import make_probe

    with ProgressDisplay() as display:

        def show(progress: Progress) -> None:
            at = progress.snapshot
            display.update("measuring", progress.done, progress.total, at.place)

        # Complain about a source before kernels are compiled.
        opened = {entry.name: open_source(study.folder, entry) for entry in study.plan.families}
        if engine in ("auto", "cpu"):
            warm_up(make_probe(study.plan, threads=threads), np.float32)
        return robustness(
            study,
            steps=steps,
            replicates=replicates,
            engine=engine,
            threads=threads,
            progress=show,
            opened=opened,
        )


def _print(found: Robustness, settings: str) -> None:
    typer.echo(f"{found.measured} cascades measured, {found.known} known before")
    typer.echo(f"as planned: {settings}; one changed at a time")
    for part in found.table.partition_by("family", "field", maintain_order=True):
        rows = part.to_dicts()
        here = (found.cascades["family"] == rows[0]["family"]) & (found.cascades["field"] == rows[0]["field"])
        steps = sorted(set(found.cascades.filter(here)["step"]))
        listed = f"step {steps[0]:,}" if len(steps) == 1 else f"{len(steps)} steps of {steps[0]:,} to {steps[-1]:,}"
        typer.echo(f"{rows[0]['family']}, {field_plural(rows[0]['field'])}, {listed}")
        for exponent in SHOWN_EXPONENTS:
            own = [row for row in rows if row["exponent"] == exponent]
            planned = "missing" if own[0]["planned"] is None else f"{own[0]['planned']:+.3f}"
            typer.echo(f"  {exponent} = {planned} as planned; moved by")
            for row in own:
                few = f" ({row['n_steps']} steps)" if 1 < row["n_steps"] < len(steps) else ""
                typer.echo(f"    {cells((row['choice'], 24), (_shift(row) + few, 0))}")
    typer.echo(_NOTE)


def _shift(row: dict[str, Any]) -> str:
    if row["shift"] is None:
        return f"missing: {row['reason']}"
    if row["low"] is None:
        return f"{row['shift']:+.3f}  {row['verdict']}: {row['reason']}"
    return f"{row['shift']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]  {row['verdict']}"
