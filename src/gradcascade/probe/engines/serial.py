"""One step of relaxation by one thread, for steps with few events."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True)
def step(units, offsets, neighbours, active, threshold, alpha, marks):
    """Relax the active nodes once: the next active nodes, in no particular order.

    ``marks`` is a bitmap of the nodes, all zero before and after.
    """
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
        bit = np.uint8(1 << (r & 7))
        if marks[r >> 3] & bit == 0:
            marks[r >> 3] |= bit
            candidates[count] = r
            count += 1
        for slot in range(np.int64(offsets[r]), np.int64(offsets[r + 1])):
            i = neighbours[slot]
            units[i] += shares[j]
            bit = np.uint8(1 << (i & 7))
            if marks[i >> 3] & bit == 0:
                marks[i >> 3] |= bit
                candidates[count] = i
                count += 1
    kept = 0
    for j in range(count):
        i = candidates[j]
        marks[i >> 3] = 0
        if abs(units[i]) > threshold:
            candidates[kept] = i
            kept += 1
    return candidates[:kept].copy()
