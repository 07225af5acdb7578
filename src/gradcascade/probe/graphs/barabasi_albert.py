"""The Barabasi-Albert graph: every node ties itself to m earlier ones, in proportion to their degrees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcascade.probe.graphs.base import DEFAULT_GRAPH, GraphKind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def _edges(n: int, m: int, seed: int, threads: int | None) -> NDArray[np.int32]:
    from gradcascade.probe.graphs._barabasi_albert import targets

    return targets(n, m, seed, threads)


GRAPH = GraphKind(
    DEFAULT_GRAPH, 0, "grown by preferential attachment (Barabasi and Albert, 1999)", _edges, attachment=True
)
