import numpy as np
import pytest
from slow_graphs import later_nodes

from gradcascade.probe import rows
from gradcascade.probe.graph import from_edges
from gradcascade.probe.graphs import _barabasi_albert as barabasi_albert
from gradcascade.probe.graphs import _random_graph as random_graph


def brought(n, m, star):
    """Far ends and near ends of the edges of a graph with or without a star at its beginning."""
    if star:
        return barabasi_albert.targets(n, m, 42), later_nodes(n, m)
    return random_graph.targets(n, 2, 42), np.repeat(np.arange(n, dtype=np.int32), 2)


@pytest.mark.parametrize("bits", [2, 5, 16])
@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize(("m", "star"), [(1, 1), (2, 2), (3, 3), (2, 0)])
@pytest.mark.parametrize("n", [5, 64, 1001])
def test_rows_are_those_written_edge_by_edge(n, m, star, threads, bits):
    targets, sources = brought(n, m, star)
    expected = from_edges(n, sources, targets)
    offsets, neighbours = rows.from_targets(n, targets, m, star, threads, bits)
    assert offsets.dtype == expected.offsets.dtype
    assert np.array_equal(offsets, expected.offsets)
    for node in range(n):
        row = neighbours[offsets[node] : offsets[node + 1]].tolist()
        own = targets[sources == node].tolist()
        assert row == own + np.sort(sources[targets == node]).tolist()
        assert sorted(row) == sorted(expected.neighbours[offsets[node] : offsets[node + 1]])
