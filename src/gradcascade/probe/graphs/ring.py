"""The ring: every node is tied to the two nearest on either side."""

from gradcascade.probe.graphs.base import GraphKind, compiled

GRAPH = GraphKind(
    "ring",
    1,
    "every node tied to the two nearest on either side",
    compiled("_ring"),
    least_nodes=5,  # fewer would be tied to one another twice
    seeded=False,
)
