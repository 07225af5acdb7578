"""The kinds of graph, one file each; files that begin with an underscore hold their compiled loops."""

from gradcascade.probe.graphs.base import DEFAULT_GRAPH, EDGES_PER_NODE, MAX_NODES, MIN_NODES, GraphKind
from gradcascade.registry import Registry

GRAPHS = Registry("gradcascade.probe.graphs", GraphKind, "graph kind", "GRAPH")

__all__ = ["DEFAULT_GRAPH", "EDGES_PER_NODE", "GRAPHS", "MAX_NODES", "MIN_NODES", "GraphKind"]
