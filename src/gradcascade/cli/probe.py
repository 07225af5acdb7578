"""``gradcascade probe``: measure one field."""

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from gradcascade.cli.options import NULL_NAMES, Alpha, Engine, GraphKind, GraphSeed, Json, MaxSteps, Quantile, Threads
from gradcascade.cli.warmup import warm_up
from gradcascade.fields.nulls import NULLS
from gradcascade.probe.graphs import DEFAULT_GRAPH


def probe(
    file: Annotated[Path, typer.Argument(help="A .npy, .safetensors or .pt file, or the folder of a checkpoint.")],
    key: Annotated[str | None, typer.Option(help="Tensor to measure; by default all of the model.")] = None,
    order: Annotated[
        str,
        typer.Option(help="Order of the tensors: canonical (by names alone), file, sorted or grouped."),
    ] = "canonical",
    alpha: Alpha = 0.3,
    quantile: Quantile = 0.9,
    graph: GraphKind = DEFAULT_GRAPH,
    graph_seed: GraphSeed = 42,
    max_steps: MaxSteps = 500,
    engine: Engine = "auto",
    threads: Threads = None,
    null: Annotated[str | None, typer.Option(help=f"Measure this null of the field instead: {NULL_NAMES}.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the null; the published rule is 42 + step.")] = 42,
    clip: Annotated[float, typer.Option(help="For clipped: the multiple of the threshold to clip to.")] = 3.0,
    as_json: Json = False,
) -> None:
    """Put one field on the graph, relax it, and print the cascade."""
    from gradcascade.fields.drawing import null as draw
    from gradcascade.probe.array import as_field
    from gradcascade.probe.capacity import check_entries
    from gradcascade.probe.relaxation import Probe
    from gradcascade.sources.contents import in_words
    from gradcascade.sources.one_field import open_field

    measure = Probe(
        alpha=alpha,
        quantile=quantile,
        graph=graph,
        graph_seed=graph_seed,
        max_steps=max_steps,
        engine=engine,
        threads=threads,
    )
    opened = open_field(file, key, order, lambda n: check_entries(n, graph))
    check_entries(opened.values.size, graph)
    field = as_field(opened.values)
    if null is not None:
        layout = opened.layout if NULLS.find(null).needs_layout else None
        field = draw(null, field, seed, layout=layout, clip=clip, quantile=quantile, threads=threads)
    chosen = measure.engine_for(field)
    resident = measure.graph_for(field.size)
    chosen.prepare(resident)  # so that "seconds" is the measurement alone
    if chosen.name == "cpu":
        warm_up(measure, field.dtype)
    start = time.perf_counter()
    cascade = measure(field, resident)
    seconds = time.perf_counter() - start
    result = {
        "n": cascade.n,
        "tau": cascade.tau,
        "size": cascade.size,
        "duration": cascade.duration,
        "v_abs": cascade.v_abs,
        "v_rel": cascade.v_rel,
        "ceiling": cascade.ceiling,
        "activity": cascade.activity.tolist(),
        "alpha": alpha,
        "quantile": quantile,
        "graph": graph,
        "graph_seed": graph_seed,
        "engine": chosen.name,
        "seconds": seconds,
    }
    said = opened.description
    if as_json:
        typer.echo(json.dumps(result))
        return
    if said:
        typer.echo(f"{'field':>10}  {in_words(said)}")
    if cascade.ceiling:
        result["ceiling"] = f"yes: stopped after {max_steps} steps"
    profile = ", ".join(str(count) for count in cascade.activity[:12].tolist())
    result["activity"] = profile + (", ..." if cascade.duration > 12 else "")
    for name, value in result.items():
        typer.echo(f"{name:>10}  {value}")
