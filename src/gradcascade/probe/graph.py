"""The redistribution graph: who hands activity to whom.

A graph is fixed by (kind, n, m, seed) and reused for every field of that size. It is stored as compressed rows:
the neighbours of node i are ``neighbours[offsets[i]:offsets[i + 1]]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.probe import barabasi_albert, cache

DEFAULT_KIND = "barabasi-albert"
KINDS = (DEFAULT_KIND,)
MIN_NODES = 3
MAX_NODES = 2**31 - 1
FORMAT = 1
"""Number of the definition of the graphs; it changes when a graph of the same name would differ."""


@dataclass(frozen=True)
class GraphSpec:
    """What determines a graph.

    Attributes
    ----------
    kind : str
        One of :data:`KINDS`.
    n : int
        Number of nodes.
    m : int
        Edges that each later node brings (Barabasi-Albert).
    seed : int
        Topology seed.
    """

    kind: str
    n: int
    m: int
    seed: int

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"graph kind {self.kind!r} is unknown; choose one of {', '.join(KINDS)}")
        if self.m < 1:
            raise InputError(f"graph attachment m must be at least 1, got {self.m}")
        least = max(MIN_NODES, self.m + 1)
        if not least <= self.n <= MAX_NODES:
            raise InputError(
                f"a {self.kind} graph with m = {self.m} needs {least} to {MAX_NODES:,} nodes, got {self.n:,}"
            )

    @property
    def name(self) -> str:
        """File-name form, such as ``barabasi-albert-m2-n589824-seed42-v1``."""
        return f"{self.kind}-m{self.m}-n{self.n}-seed{self.seed}-v{FORMAT}"


@dataclass(frozen=True)
class Graph:
    """An undirected graph in compressed rows.

    Attributes
    ----------
    spec : GraphSpec or None
        What it was built from; None for a graph of one's own.
    offsets : numpy.ndarray
        uint32 or int64, shape (n + 1,): where each row starts.
    neighbours : numpy.ndarray
        int32, shape (2 E,): the neighbours, row after row.
    """

    spec: GraphSpec | None
    offsets: NDArray[np.integer]
    neighbours: NDArray[np.int32]

    @property
    def n(self) -> int:
        """Number of nodes."""
        return len(self.offsets) - 1

    def degrees(self) -> NDArray[np.int64]:
        """Number of neighbours of each node: int64, shape (n,)."""
        return np.diff(self.offsets.astype(np.int64))

    def edges(self) -> NDArray[np.int64]:
        """Every edge once, as (later node, earlier node), sorted: int64, shape (E, 2)."""
        rows = np.repeat(np.arange(self.n, dtype=np.int64), self.degrees())
        once = rows > self.neighbours
        pairs = np.stack([rows[once], self.neighbours[once].astype(np.int64)], axis=1)
        return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


@numba.njit(cache=True)
def _count(u, v, offsets):
    for e in range(u.shape[0]):
        offsets[u[e] + 1] += 1
        offsets[v[e] + 1] += 1
    for i in range(1, offsets.shape[0]):
        offsets[i] += offsets[i - 1]


@numba.njit(cache=True)
def _fill(u, v, cursor, neighbours):
    for e in range(u.shape[0]):
        neighbours[cursor[u[e]]] = v[e]
        cursor[u[e]] += 1
        neighbours[cursor[v[e]]] = u[e]
        cursor[v[e]] += 1


def from_edges(n: int, u: NDArray[np.int32], v: NDArray[np.int32], spec: GraphSpec | None = None) -> Graph:
    """Build the rows of an undirected graph from its edges.

    Parameters
    ----------
    n : int
        Number of nodes.
    u, v : numpy.ndarray
        int32, shape (E,): the two ends of each edge.
    spec : GraphSpec, optional
        What the edges were drawn from.

    Returns
    -------
    Graph
    """
    offsets = np.zeros(n + 1, np.uint32 if 2 * len(u) < 2**32 else np.int64)
    _count(u, v, offsets)
    neighbours = np.empty(2 * len(u), np.int32)
    _fill(u, v, offsets[:-1].copy(), neighbours)
    return Graph(spec, offsets, neighbours)


def build_graph(spec: GraphSpec) -> Graph:
    """Build a graph from its definition, without looking into the cache."""
    u = barabasi_albert.sources(spec.n, spec.m)
    v = barabasi_albert.targets(spec.n, spec.m, spec.seed)
    return from_edges(spec.n, u, v, spec)


@lru_cache(maxsize=2)
def load_graph(spec: GraphSpec) -> Graph:
    """Give the graph of a definition: from memory, else from the cache folder, else built and kept there."""
    arrays = cache.load(spec.name)
    if arrays is None:
        graph = build_graph(spec)
        cache.store(spec.name, {"offsets": graph.offsets, "neighbours": graph.neighbours})
        return graph
    return Graph(spec, arrays["offsets"], arrays["neighbours"])
