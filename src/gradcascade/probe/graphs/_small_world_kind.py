"""Small worlds by the share of their edges that are led elsewhere."""

from gradcascade.probe.graphs.base import GraphKind, compiled


def small_world(p: float, order: float) -> GraphKind:
    """Kind of the small worlds in which each edge is led elsewhere with probability p."""
    words = f"the ring with {100 * p:g} % of its edges led elsewhere (Watts and Strogatz, 1998)"
    # With fewer than nine nodes there are no two distances to choose beyond the ring's own.
    return GraphKind(f"small-world-{p:g}", order, words, compiled("_small_world", p), least_nodes=9)
