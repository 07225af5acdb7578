"""Options that several commands share."""

import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from gradcascade.errors import InputError
from gradcascade.fields.nulls import NULLS
from gradcascade.probe.graphs import GRAPHS


def alternatives(names: Iterable[str]) -> str:
    """Join names for help texts: ``a, b or c``."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def whole_numbers(text: str, option: str, example: str) -> tuple[int, ...]:
    """Read whole numbers separated by commas."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(
            f"{option} takes whole numbers separated by commas, such as {example}, not {text!r}"
        ) from None


def counted(number: int, noun: str) -> str:
    """A number with its noun: ``1 step``, ``2 steps``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def wrapped(text: str, start: str, indent: int) -> list[str]:
    """Lines of at most 80 characters: the first after ``start``, the others indented."""
    return textwrap.wrap(text, 80, initial_indent=start, subsequent_indent=" " * indent, break_on_hyphens=False)


NO_FAMILY = "{} names no family; add a [[families]] section with name, and path or hub"
NO_SOURCE = "{} is not a folder of runs, nor one of {}; give one of them, or a plan.toml"
NULL_NAMES = alternatives(NULLS)
Healthy = Annotated[
    bool,
    typer.Option("--healthy", help="Leave out runs that are not healthy, each from its first sick step on."),
]
StudyFolder = Annotated[Path, typer.Argument(help="Folder of the study.")]
StableWindow = Annotated[
    tuple[int, int] | None, typer.Option(help="First and last step of the stable window.", metavar="FIRST LAST")
]
Span = Annotated[
    int | None,
    typer.Option(min=1, help="Take the updates over this many optimizer steps alone, of a study that has several."),
]
Links = Annotated[
    bool, typer.Option("--allow-links", help="Follow symbolic links that lead out of the folder, to a scratch disk.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Alpha = Annotated[float, typer.Option(help="Share of its value that an active node passes on, in (0, 1).")]
Quantile = Annotated[float, typer.Option(help="The threshold is this quantile of the magnitudes, in (0, 1).")]
GRAPH_KINDS = alternatives(GRAPHS)
GraphKind = Annotated[str, typer.Option("--graph", help=f"Kind of the redistribution graph: {GRAPH_KINDS}.")]
GraphSeed = Annotated[int, typer.Option(help="Topology seed of the graph.")]
MaxSteps = Annotated[int, typer.Option(help="Steps after which a cascade is stopped.")]
Engine = Annotated[str, typer.Option(help="auto, reference, cpu or cuda; all give identical results.")]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Number of threads (default: $GRADCASCADE_THREADS, else all cores).")
]
