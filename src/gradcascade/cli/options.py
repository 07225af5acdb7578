"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from gradcascade.fields.nulls import NULLS
from gradcascade.probe.graphs import GRAPHS


def alternatives(names: Iterable[str]) -> str:
    """Join names for help texts: ``a, b or c``."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


NULL_NAMES = alternatives(NULLS)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Alpha = Annotated[float, typer.Option(help="Share that an active node hands on, in (0, 1).")]
Quantile = Annotated[float, typer.Option(help="The threshold is this quantile of the magnitudes, in (0, 1).")]
GRAPH_KINDS = alternatives(GRAPHS)
GraphKind = Annotated[str, typer.Option("--graph", help=f"Kind of the redistribution graph: {GRAPH_KINDS}.")]
GraphSeed = Annotated[int, typer.Option(help="Topology seed of the graph.")]
MaxSteps = Annotated[int, typer.Option(help="Ceiling of the duration.")]
Engine = Annotated[str, typer.Option(help="auto, reference, cpu or cuda; all give the same bits.")]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Number of threads (default: $GRADCASCADE_THREADS, else all cores).")
]
