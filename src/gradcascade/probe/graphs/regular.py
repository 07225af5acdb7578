"""The regular graph: a lattice on a torus, whose neighbours are computed and take no memory."""

from math import isqrt

from gradcascade.probe.graphs.base import GraphKind


def _stride(n: int) -> int:
    return max(2, isqrt(n))


# Fewer than five nodes would be tied to one another twice.
GRAPH = GraphKind(
    "regular", 5, "a lattice on a torus, computed from the node number", stride=_stride, least_nodes=5, seeded=False
)
