"""The ring: every node is tied to the two nearest on either side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcascade.probe.graphs.base import GraphKind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def _edges(n: int, m: int, seed: int, threads: int | None) -> NDArray[np.int32]:
    from gradcascade.probe.graphs._ring import targets

    return targets(n)


# Fewer than five nodes would be tied to one another twice.
GRAPH = GraphKind("ring", 1, "every node tied to the two nearest on either side", _edges, least_nodes=5, seeded=False)
