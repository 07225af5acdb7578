"""The reference engine: the rule in plain NumPy, to be read rather than to be fast."""

import numpy as np
from numpy.typing import NDArray

from gradcascade.probe.graph import Graph


def relax(units: NDArray[np.int64], graph: Graph, threshold: int, alpha: float, max_steps: int) -> NDArray[np.int64]:
    """Relax ``units`` in place: number of active nodes (magnitude larger than ``threshold``) at each step."""
    degrees = graph.degrees()
    neighbours = graph.rows()[1]
    rows = np.repeat(np.arange(graph.n), degrees)
    activity = []
    for _ in range(max_steps):
        active = np.abs(units) > threshold
        if not active.any():
            break
        activity.append(int(active.sum()))
        share = np.zeros(graph.n, np.int64)
        share[active] = np.trunc(units[active].astype(np.float64) * (alpha / degrees[active])).astype(np.int64)
        units -= share * degrees
        np.add.at(units, neighbours, share[rows])
    return np.array(activity, np.int64)
