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
    from gradcascade.study.sensitivity import Robustness
    from gradcascade.study.study import Study

_ORDERS = ("file", "canonical", "reversed", "grouped", "random:4")

_NOTE = (
    "95 % intervals across scales, one by one. What moves is judged over all shifts looked at together\n"
    "(Benjamini and Hochberg): of those said to move, one in twenty may be chance. beta moves as delta."
)


def robustness(
    study: Annotated[Path, typer.Argument(help="Folder of the study; its sources must still be there.")],
    steps: Annotated[int, typer.Option(min=1, help="Steps of each family and field, evenly over the window.")] = 8,
    replicates: Annotated[int, typer.Option(min=1, help="Replicates of each null.")] = 3,
    orders: Annotated[
        str, typer.Option(help="Orders of the tensors, by name, also reversed and random:R; none if it is empty.")
    ] = ",".join(_ORDERS),
    out: Annotated[
        Path | None,
        typer.Option(help="New study to keep this in, with all of the other; for one that may not be written to."),
    ] = None,
    engine: Engine = "auto",
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Measure a sample of steps with other graphs, seeds, alpha, quantiles, orders and nulls; print what moves."""
    from gradcascade.study.merging import merge_studies
    from gradcascade.study.study import Study

    if out is not None:
        merge_studies([study], out)
    with Study.open(out or study) as opened:
        found = _measured(opened, steps, replicates, orders, engine, threads)
        probe = opened.plan.probe
    if as_json:
        named = {"measured": found.measured, "known": found.known, "refused": list(found.refused)}
        tables = {"robustness": found.table, "orders": found.orders, "order_spread": found.spread}
        named |= {"unordered": list(found.unordered)}
        typer.echo(json.dumps({**named, **{name: table.to_dicts() for name, table in tables.items()}}))
    else:
        settings = f"alpha {probe.alpha:g}, quantile {probe.quantile:g}, {probe.graph} graph, seed {probe.graph_seed}"
        _print(found, settings)
    if found.refused:
        raise InputError(said(found.refused))


def _measured(study: Study, steps: int, replicates: int, orders: str, engine: str, threads: int | None) -> Robustness:
    import numpy as np

    from gradcascade.cli.warmup import warm_up
    from gradcascade.study.orders import parse_orders
    from gradcascade.study.runner import Progress, open_source
    from gradcascade.study.sensitivity import robustness
    from gradcascade.study.variants import make_probe

    parse_orders(orders.split(","))  # before anything is opened
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
            orders=orders.split(","),
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
        typer.echo(f"  looked at: {_looked_at(rows)}")
        for exponent in SHOWN_EXPONENTS:
            own = [row for row in rows if row["exponent"] == exponent]
            planned = "missing" if own[0]["planned"] is None else f"{own[0]['planned']:+.3f}"
            typer.echo(f"  {exponent} = {planned} as planned; moved by")
            for row in own:
                few = f" ({row['n_steps']} steps)" if 1 < row["n_steps"] < len(steps) else ""
                typer.echo(f"    {cells((row['choice'], 24), (_shift(row) + few, 0))}")
        spread = found.spread.filter(family=rows[0]["family"], field=rows[0]["field"])
        _print_orders([row for row in spread.to_dicts() if row["exponent"] in SHOWN_EXPONENTS])
    for sentence in found.unordered:
        typer.echo(sentence)
    typer.echo(_NOTE)


def _looked_at(rows: list[dict[str, Any]]) -> str:
    """How many shifts are judged together."""
    counts = {
        name: max((row["looked_at"] or 0 for row in rows if (row["kind"] == "control") == null), default=0)
        for name, null in (("choices", False), ("nulls", True))
    }
    return " and ".join(f"{count} shifts of {name}" for name, count in counts.items() if count) or "no shift"


def _print_orders(spread: list[dict[str, Any]]) -> None:
    """How far each exponent lies apart over the orders of the tensors, a line each."""
    spread = [row for row in spread if row["sd"] is not None]
    if not spread:
        return
    typer.echo(f"  over {spread[0]['n_orders']} orders of the tensors, at {spread[0]['n_steps']} steps")
    for row in spread:
        ends = f"{row['lowest']:+.3f} to {row['highest']:+.3f}"
        sd = f"SD {row['sd']:.3f} [{row['sd_low']:.3f}, {row['sd_high']:.3f}]"
        free = "not measured" if row["free"] is None else f"{row['free']:+.3f}"
        if row["free_low"] is not None:
            free += f" [{row['free_low']:+.3f}, {row['free_high']:+.3f}]"
        typer.echo(f"    {row['exponent']:<6}{ends}, {sd}; of no order (N2) {free}")


def _shift(row: dict[str, Any]) -> str:
    if row["shift"] is None:
        return f"missing: {row['reason']}"
    if row["low"] is None:
        return f"{row['shift']:+.3f}  {row['verdict']}: {row['reason']}"
    return f"{row['shift']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]  {row['verdict']}"
