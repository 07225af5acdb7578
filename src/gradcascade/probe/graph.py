"""The redistribution graph: compressed rows, reused for every field of its size."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.memory import on_release
from gradcascade.probe import cache, capacity, regular, rows
from gradcascade.probe.graphs import EDGES_PER_NODE, GRAPHS, MAX_NODES, MIN_NODES, GraphKind
from gradcascade.probe.threads import thread_count

IN_MEMORY = 2
"""Graphs that stay in memory (those read from the cache folder are mapped, and the system may drop their pages)."""

FORMAT = 1
"""Number of the definition of the graphs; it changes when a graph of the same name would differ."""


@dataclass(frozen=True)
class GraphSpec:
    """What determines a graph."""

    kind: str
    n: int
    m: int
    """Edges that each later node brings; all kinds but Barabasi-Albert have 2."""
    seed: int
    """Topology seed; graphs in which nothing is drawn do not depend on it."""

    def __post_init__(self) -> None:
        declared = GRAPHS.find(self.kind)
        if self.m < 1:
            raise InputError(f"graph attachment m must be at least 1, got {self.m}")
        if self.m != EDGES_PER_NODE and not declared.attachment:
            raise InputError(f"a {self.kind} graph has m = {EDGES_PER_NODE}, got {self.m}; leave m out")
        least = max(MIN_NODES, self.m + 1, declared.least_nodes)
        if not least <= self.n <= MAX_NODES:
            raise InputError(
                f"a {self.kind} graph with m = {self.m} needs {least} to {MAX_NODES:,} nodes, got {self.n:,}"
            )

    @property
    def name(self) -> str:
        """File-name form, such as ``barabasi-albert-m2-n589824-seed42-v1``."""
        return f"{self.kind}-m{self.m}-n{self.n}-seed{self.seed}-v{FORMAT}"


def read_name(name: str) -> tuple[str, int] | None:
    """Kind and number of nodes in a :attr:`GraphSpec.name` of any version; None for any other text."""
    found = re.fullmatch(r"(.+)-m\d+-n(\d+)-seed-?\d+-v\d+", name)
    return (found[1], int(found[2])) if found else None


_loaded: dict[GraphSpec, Graph] = {}


@dataclass(frozen=True)
class Graph:
    """An undirected graph in compressed rows: node i has ``neighbours[offsets[i]:offsets[i + 1]]``."""

    spec: GraphSpec | None
    """None for a graph of one's own."""
    offsets: NDArray[np.integer]
    """uint32 or int64, shape (n + 1,): where each row starts. Empty for the regular graph."""
    neighbours: NDArray[np.int32]
    """int32, shape (2 E,): the neighbours, row after row. Empty for the regular graph."""
    stride: int = 0
    """0 for stored rows; for the regular graph the distance of the farther neighbours."""

    def __post_init__(self) -> None:
        # Nobody writes to a graph; and kernels are compiled once, for graphs in memory and in files alike.
        for name in ("offsets", "neighbours"):
            array = getattr(self, name).view()
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def n(self) -> int:
        """Number of nodes."""
        return self.spec.n if self.stride and self.spec else len(self.offsets) - 1

    def rows(self) -> tuple[NDArray[np.integer], NDArray[np.int32]]:
        """Offsets and neighbours; for the regular graph they are computed, 20 bytes a node."""
        return regular.rows(self.n, self.stride) if self.stride else (self.offsets, self.neighbours)

    def degrees(self) -> NDArray[np.int64]:
        """Number of neighbours of each node: int64, shape (n,)."""
        return np.diff(self.rows()[0].astype(np.int64))

    def edges(self) -> NDArray[np.int64]:
        """Every edge once, as (later node, earlier node), sorted: int64, shape (E, 2)."""
        rows = np.repeat(np.arange(self.n, dtype=np.int64), self.degrees())
        neighbours = self.rows()[1]
        once = rows > neighbours
        pairs = np.stack([rows[once], neighbours[once].astype(np.int64)], axis=1)
        return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def from_edges(n: int, u: NDArray[np.int32], v: NDArray[np.int32]) -> Graph:
    """Build an undirected graph of one's own from its edges, int32 (E,) each; every node must have one."""
    for ends in (u, v):
        if (stray := ends[(ends < 0) | (ends >= n)]).size:
            raise InputError(f"an edge leads to node {stray[0]}, but the {n:,} nodes are numbered 0 to {n - 1:,}")
    near, far = np.stack([u, v], 1).ravel(), np.stack([v, u], 1).ravel()
    degrees = np.bincount(near, minlength=n)
    lonely = np.flatnonzero(degrees == 0)
    if lonely.size:
        raise InputError(
            f"{lonely.size:,} of {n:,} nodes have no edge (the first is node {lonely[0]}); connect each to another"
        )
    offsets = np.append(0, degrees.cumsum()).astype(np.uint32 if len(near) < 2**32 else np.int64)
    return Graph(None, offsets, far[np.argsort(near, kind="stable")])


def build_graph(spec: GraphSpec, threads: int | None = None) -> Graph:
    """Build a graph from its definition, without looking into the cache; threads do not change it."""
    kind = GRAPHS[spec.kind]
    if kind.stride is not None:  # nothing is stored: the rows follow from the node numbers
        offsets = np.empty(0, np.uint32 if regular.DEGREE * spec.n < 2**32 else np.int64)
        return Graph(spec, offsets, np.empty(0, np.int32), kind.stride(spec.n))
    star = spec.m if kind.attachment else 0
    return Graph(spec, *rows.from_targets(spec.n, _edges(kind, spec, threads), spec.m, star, threads))


def _edges(kind: GraphKind, spec: GraphSpec, threads: int | None) -> NDArray[np.int32]:
    """Far ends of the edges; wrong ones would have the compiled loops write outside of their arrays."""
    assert kind.edges is not None
    found = kind.edges(spec.n, spec.m, spec.seed, threads)
    count = kind.edge_count(spec.n, spec.m)
    if found.dtype != np.int32 or found.shape != (count,):
        raise TypeError(f"graph kind {kind.name} drew {found.dtype} {found.shape} edges, not int32 ({count},)")
    if found.min() < 0 or found.max() >= spec.n:
        raise ValueError(f"graph kind {kind.name} drew edges to nodes that are not among its {spec.n:,}")
    return found


def load_graph(spec: GraphSpec, threads: int | None = None) -> Graph:
    """Give the graph of a definition: from memory, else from the cache folder, else built and kept there."""
    thread_count(threads)  # refuse a wrong number whether or not the graph is there already
    graph = _loaded.pop(spec, None) or _read_or_build(spec, threads)
    _loaded[spec] = graph  # the last one used comes last
    for oldest in list(_loaded)[:-IN_MEMORY]:
        _loaded.pop(oldest, None)  # another thread of Python may have been faster
    return graph


@on_release
def forget_graphs() -> None:
    """Let go of the graphs in memory."""
    _loaded.clear()


def _read_or_build(spec: GraphSpec, threads: int | None) -> Graph:
    if GRAPHS[spec.kind].stride is not None:
        return build_graph(spec)
    arrays = cache.load(spec.name)
    if arrays is None:
        with cache.builder(spec.name):
            arrays = cache.load(spec.name)  # which another process may have built meanwhile
            if arrays is None:
                capacity.check_building(spec.n, spec.kind)
                graph = build_graph(spec, threads)
                cache.store(spec.name, {"offsets": graph.offsets, "neighbours": graph.neighbours})
                return graph
    return Graph(spec, arrays["offsets"], arrays["neighbours"])
