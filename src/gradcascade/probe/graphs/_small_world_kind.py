"""Small worlds by the share of their edges that are led elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcascade.probe.graphs.base import GraphKind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def small_world(p: float, order: float) -> GraphKind:
    """Kind of the small worlds in which each edge is led elsewhere with probability p."""

    def edges(n: int, m: int, seed: int, threads: int | None) -> NDArray[np.int32]:
        from gradcascade.probe.graphs._small_world import targets

        return targets(n, p, seed)

    # With fewer than nine nodes there are no two distances to choose beyond the ring's own.
    words = f"the ring with {100 * p:g} % of its edges led elsewhere (Watts and Strogatz, 1998)"
    return GraphKind(f"small-world-{p:g}", order, words, edges, least_nodes=9)
