"""The random graph: every node ties itself to two others, drawn uniformly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcascade.probe.graphs.base import GraphKind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def _edges(n: int, m: int, seed: int, threads: int | None) -> NDArray[np.int32]:
    from gradcascade.probe.graphs._random_graph import targets

    return targets(n, seed)


# With fewer than five nodes there are no two distances to choose.
GRAPH = GraphKind("random", 4, "every node ties itself to two others, drawn uniformly", _edges, least_nodes=5)
