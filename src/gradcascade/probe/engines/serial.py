"""A step with few contributions, by one thread."""

import numpy as np
from numpy.typing import NDArray

from gradcascade.probe.engines.active import Active, Marks, above, mark
from gradcascade.probe.engines.filing import neighbour
from gradcascade.probe.parallel import compiled


@compiled()
def _spread(units, neighbours, stride, rows, ends, shares, threshold, words, groups):
    n = units.shape[0]
    begin = np.uint64(0)
    for j in range(rows.shape[0]):
        end = np.uint64(ends[j])
        for step in range(end - begin):
            node = np.uint64(neighbour(neighbours, np.uint64(rows[j]) + np.uint64(step), n, stride))
            unit = units[node] + shares[j]
            units[node] = unit
            if above(unit, threshold):
                mark(words, groups, node)
        begin = end


def spread(
    units: NDArray[np.int64],
    neighbours: NDArray[np.int32],
    stride: int,
    active: Active,
    threshold: int,
    marks: Marks,
) -> None:
    """Add every share to the neighbours, and mark the candidates of the next step."""
    _spread(units, neighbours, stride, *active, threshold, *marks)
