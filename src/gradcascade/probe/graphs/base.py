"""What a kind of graph declares."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DEFAULT_GRAPH = "barabasi-albert"

EDGES_PER_NODE = 2
"""Edges that each node brings, where a kind does not leave that open."""

MIN_NODES = 3
MAX_NODES = 2**31 - 1


class Edges(Protocol):
    """Draws the edges of a graph; the number of threads must not change them."""

    def __call__(self, n: int, m: int, seed: int, threads: int | None) -> NDArray[np.int32]:
        """Far end of every edge: int32, ordered by the node that brings the edge, m for each node."""
        ...


def compiled(module: str, *settings: float) -> Edges:
    """Edges drawn by ``targets`` of a module of this package, imported when first used because it needs Numba."""

    def edges(n: int, m: int, seed: int, threads: int | None) -> NDArray[np.int32]:
        targets = import_module(f"gradcascade.probe.graphs.{module}").targets
        return targets(n, m, seed, threads, *settings)

    return edges


@dataclass(frozen=True)
class GraphKind:
    """A kind of graph; its name is part of file names and probe hashes, so it must not change."""

    name: str
    order: float
    words: str
    edges: Edges | None = None
    """Draws it; else ``stride`` gives the s of a graph C_n(1, s), whose rows are computed and never stored."""
    stride: Callable[[int], int] | None = None
    least_nodes: int = MIN_NODES
    seeded: bool = True
    attachment: bool = False
    """Whether m may be chosen, and the graph grows: one edge for each of the nodes 1 ... m, then m each."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", self.name):
            raise ValueError(f"the graph kind {self.name!r} needs a name of small letters, digits, dots and hyphens")
        if (self.edges is None) == (self.stride is None):
            raise ValueError(f"the graph kind {self.name} needs either edges or a stride; give one of them")

    def edge_count(self, n: int, m: int) -> int:
        """Edges of a graph of n nodes."""
        return m * (n - m) if self.attachment else m * n
