"""The second half of a step by one thread, for steps with few contributions."""

from __future__ import annotations

import numba
import numpy as np

_ONE = np.uint64(1)
_LOW = np.uint64(63)


@numba.njit(cache=True)
def hand_over(units, offsets, neighbours, active, shares, reach, threshold, marks):
    """Add every share to the neighbours: the next active nodes, in ascending order.

    ``marks`` is a bitmap of the nodes, all zero before and after; ``reach`` is the number of contributions.
    """
    candidates = np.empty(min(reach + active.shape[0], units.shape[0]), np.int32)
    count = 0
    for j in range(active.shape[0]):
        r = active[j]
        bit = _ONE << (np.uint64(r) & _LOW)
        if marks[r >> 6] & bit == 0:
            marks[r >> 6] |= bit
            candidates[count] = r
            count += 1
        for entry in range(np.int64(offsets[r]), np.int64(offsets[r + 1])):
            i = neighbours[entry]
            units[i] += shares[j]
            bit = _ONE << (np.uint64(i) & _LOW)
            if marks[i >> 6] & bit == 0:
                marks[i >> 6] |= bit
                candidates[count] = i
                count += 1
    kept = 0
    for j in range(count):
        i = candidates[j]
        marks[i >> 6] = 0
        if abs(units[i]) > threshold:
            candidates[kept] = i
            kept += 1
    return np.sort(candidates[:kept])
