"""``gradcascade graph``: write out the very graph the probe uses."""

import json
from pathlib import Path
from typing import Annotated

import typer

from gradcascade.cli.options import GRAPH_KINDS, Json
from gradcascade.errors import InputError
from gradcascade.probe.graphs import DEFAULT_GRAPH


def graph(
    n: Annotated[int, typer.Argument(help="Number of nodes.")],
    out: Annotated[Path, typer.Option(help="File to write: .npy, int64, shape (E, 2).")],
    kind: Annotated[str, typer.Option(help=f"Kind of the graph: {GRAPH_KINDS}.")] = DEFAULT_GRAPH,
    m: Annotated[int, typer.Option(help="Edges that each later node brings.")] = 2,
    seed: Annotated[int, typer.Option(help="Topology seed.")] = 42,
    as_json: Json = False,
) -> None:
    """Write every edge once, as (later node, earlier node), in order."""
    import numpy as np

    from gradcascade.probe.graph import GraphSpec, load_graph

    edges = load_graph(GraphSpec(kind, n, m, seed)).edges()
    try:
        with out.open("wb") as file:
            np.save(file, edges)
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror or error}; choose another --out") from None
    result = {"kind": kind, "n": n, "m": m, "seed": seed, "edges": len(edges), "out": str(out)}
    typer.echo(json.dumps(result) if as_json else f"{len(edges):,} edges of {kind} on {n:,} nodes in {out}")
