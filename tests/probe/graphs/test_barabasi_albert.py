import networkx
import numpy as np
import pytest
import slow_graphs

from gradcascade.probe.graphs import _barabasi_albert as ba


@pytest.mark.parametrize("seed", [42, 0, -1])
@pytest.mark.parametrize("m", [1, 2, 3])
@pytest.mark.parametrize("n", [4, 5, 20, 500])
def test_targets_equal_those_drawn_edge_by_edge(n, m, seed):
    expected = slow_graphs.barabasi_albert(n, m, seed)
    assert np.array_equal(ba.targets(n, m, seed), expected)
    looked_up = np.empty_like(expected)
    ba._lookup_targets(ba.graph_key(m, seed), m, looked_up)
    assert np.array_equal(looked_up, expected)
    repeated = [ba._earlier_node(ba.graph_key(m, seed), e, m) for e in range(len(expected))]
    assert repeated == expected.tolist()


@pytest.mark.parametrize("m", [1, 2])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_rounds_and_threads_change_no_edge(m, threads):
    n = 100_000  # several rounds
    expected = np.empty(m * (n - m), np.int32)
    ba._lookup_targets(ba.graph_key(m, 42), m, expected)
    assert np.array_equal(ba.targets(n, m, 42, threads), expected)


def test_every_node_chooses_different_earlier_nodes():
    n, m = 10_000, 2
    u, v = slow_graphs.later_nodes(n, m), ba.targets(n, m, 42)
    assert (v < u).all() and (v >= 0).all()
    assert len(np.unique(u.astype(np.int64) * n + v)) == len(u) == m * (n - m)


def test_a_smaller_graph_is_the_beginning_of_a_larger_one():
    assert np.array_equal(ba.targets(1000, 2, 42), ba.targets(5000, 2, 42)[: 2 * (1000 - 2)])


def test_degrees_are_distributed_as_in_networkx():
    n = 20_000
    ours = np.bincount(np.concatenate([slow_graphs.later_nodes(n, 2), ba.targets(n, 2, 42)]))
    theirs = np.array([degree for _, degree in networkx.barabasi_albert_graph(n, 2, seed=1).degree()])
    # P(k >= K) = m (m + 1) / (K (K + 1)) in the limit (Barabasi and Albert, 1999).
    for least in (3, 4, 6, 10, 20):
        expected = 6 / (least * (least + 1))
        spread = 4 * np.sqrt(expected / n)
        assert np.mean(ours >= least) == pytest.approx(expected, abs=spread)
        assert np.mean(theirs >= least) == pytest.approx(expected, abs=spread)
