"""The CPU engine: Numba, cost in proportion to the active nodes and their neighbours."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.probe.graph import Graph


@numba.njit(cache=True)
def _first_active(units, threshold):
    count = 0
    for i in range(units.shape[0]):
        count += abs(units[i]) > threshold
    active = np.empty(count, np.int32)
    count = 0
    for i in range(units.shape[0]):
        if abs(units[i]) > threshold:
            active[count] = i
            count += 1
    return active


@numba.njit(cache=True)
def _step(units, offsets, neighbours, active, threshold, alpha, touched):
    """One step: the next active nodes. ``touched`` is all zero before and after."""
    shares = np.empty(active.shape[0], np.int64)
    reach = 0
    for j in range(active.shape[0]):
        r = active[j]
        degree = np.int64(offsets[r + 1]) - np.int64(offsets[r])
        reach += degree
        shares[j] = np.int64(np.float64(units[r]) * (alpha / degree))
        units[r] -= shares[j] * degree
    candidates = np.empty(min(reach + active.shape[0], units.shape[0]), np.int32)
    count = 0
    for j in range(active.shape[0]):
        r = active[j]
        if touched[r] == 0:
            touched[r] = 1
            candidates[count] = r
            count += 1
        for slot in range(np.int64(offsets[r]), np.int64(offsets[r + 1])):
            i = neighbours[slot]
            units[i] += shares[j]
            if touched[i] == 0:
                touched[i] = 1
                candidates[count] = i
                count += 1
    kept = 0
    for j in range(count):
        i = candidates[j]
        touched[i] = 0
        if abs(units[i]) > threshold:
            candidates[kept] = i
            kept += 1
    return candidates[:kept].copy()


def relax(
    units: NDArray[np.int64], graph: Graph, threshold: int, alpha: float, max_steps: int, threads: int = 1
) -> NDArray[np.int64]:
    """Relax a field; arguments and result as in :func:`gradcascade.probe.engines.reference.relax`."""
    del threads
    active = _first_active(units, threshold)
    touched = np.zeros(graph.n, np.uint8)
    activity = []
    while len(active) and len(activity) < max_steps:
        activity.append(len(active))
        active = _step(units, graph.offsets, graph.neighbours, active, threshold, alpha, touched)
    return np.array(activity, np.int64)
