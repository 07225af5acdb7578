"""The random graph: every node ties itself to two others, drawn uniformly."""

from gradcascade.probe.graphs.base import GraphKind, compiled

# With fewer than five nodes there are no two distances to choose.
GRAPH = GraphKind(
    "random", 4, "every node ties itself to two others, drawn uniformly", compiled("_random_graph"), least_nodes=5
)
