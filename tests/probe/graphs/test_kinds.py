import networkx
import numpy as np
import pytest
import slow_graphs

from gradcascade.probe import regular
from gradcascade.probe.graph import GraphSpec, build_graph, load_graph
from gradcascade.probe.graphs import GRAPHS
from gradcascade.probe.graphs import _random_graph as random_graph
from gradcascade.probe.graphs import _ring as ring
from gradcascade.probe.graphs import _small_world as small_world


def as_networkx(kind, n, seed=42):
    return networkx.Graph(build_graph(GraphSpec(kind, n, 2, seed)).edges().tolist())


@pytest.mark.parametrize("n", [9, 10, 500])
@pytest.mark.parametrize("seed", [42, -1])
def test_targets_equal_those_of_the_slow_twins(n, seed):
    assert np.array_equal(ring.targets(n, 2, 42), slow_graphs.ring(n))
    assert np.array_equal(random_graph.targets(n, 2, seed), slow_graphs.random_graph(n, seed))
    for p in (0, 0.05, 0.2, 1):
        assert np.array_equal(small_world.targets(n, 2, seed, None, p), slow_graphs.small_world(n, p, seed))


def test_the_ring_is_networkx_before_rewiring():
    theirs = networkx.watts_strogatz_graph(50, 4, 0)
    assert networkx.utils.edges_equal(as_networkx("ring", 50).edges, theirs.edges)
    assert np.array_equal(small_world.targets(50, 2, 42, None, 0.0), ring.targets(50, 2, 42))


@pytest.mark.parametrize("n", [5, 6, 25, 50])
def test_the_regular_graph_is_networkx_circulant(n):
    stride = GRAPHS["regular"].stride
    assert stride is not None
    theirs = networkx.circulant_graph(n, [1, stride(n)])
    assert networkx.utils.edges_equal(as_networkx("regular", n).edges, theirs.edges)


@pytest.mark.parametrize("n", [5, 6, 100, 101])
def test_neighbours_of_the_regular_graph_are_computed_from_the_node(n):
    graph = build_graph(GraphSpec("regular", n, 2, 42))
    offsets, neighbours = graph.rows()
    assert len(graph.offsets) == len(graph.neighbours) == 0 and graph.n == n
    assert np.array_equal(offsets, np.arange(n + 1) * 4)
    assert np.array_equal(neighbours.reshape(n, 4), slow_graphs.regular_rows(n))


def test_a_regular_graph_too_large_for_any_store_takes_no_memory(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADCASCADE_CACHE", str(tmp_path))
    n = 2**31 - 1
    graph = load_graph(GraphSpec("regular", n, 2, 42))
    assert graph.n == n and graph.offsets.dtype == np.int64 and not list(tmp_path.iterdir())
    last = [int(regular.neighbour(np.uint64(4 * (n - 1) + slot), n, graph.stride)) for slot in range(4)]
    assert last == [0, graph.stride - 1, n - 2, n - 1 - graph.stride]


def test_a_random_node_is_chosen_by_a_poisson_number_of_others():
    n = 50_000
    chosen = build_graph(GraphSpec("random", n, 2, 42)).degrees() - 2
    probability = np.exp(-2)
    for count in range(7):
        assert np.mean(chosen == count) == pytest.approx(probability, abs=4 * np.sqrt(probability / n))
        probability *= 2 / (count + 1)


@pytest.mark.parametrize("n", [11, 12])
def test_every_pair_of_the_random_graph_is_equally_likely(n):
    seeds = 4000
    counts = np.zeros((n, n))
    for seed in range(seeds):
        np.add.at(counts, (np.repeat(np.arange(n), 2), random_graph.targets(n, 2, seed)), 1)
    pairs = counts + counts.T
    distance = (np.arange(n)[:, None] - np.arange(n)) % n
    possible = (distance != 0) & (2 * distance != n)
    expected = seeds * 4 * n / possible.sum()
    assert not pairs[~possible].any()
    assert np.abs(pairs[possible] - expected).max() < 5 * np.sqrt(expected)


@pytest.mark.parametrize("p", [0.05, 0.2])
def test_the_small_world_is_as_clustered_and_as_small_as_networkx(p):
    n = 2000
    ours = [as_networkx(f"small-world-{p}", n, seed) for seed in range(3)]
    theirs = [networkx.watts_strogatz_graph(n, 4, p, seed) for seed in range(3)]
    for measure, tolerance in [(networkx.average_clustering, 0.06), (path_length, 0.06)]:
        expected = np.mean([measure(graph) for graph in theirs])
        assert np.mean([measure(graph) for graph in ours]) == pytest.approx(expected, rel=tolerance)


def path_length(graph):
    """Mean distance from some nodes of the largest component to all others."""
    largest = max(networkx.connected_components(graph), key=len)
    starts = sorted(largest)[::100]
    reached = [networkx.single_source_shortest_path_length(graph, start).values() for start in starts]
    return np.mean([length for lengths in reached for length in lengths])


@pytest.mark.parametrize("p", [0.05, 0.2])
def test_the_share_of_edges_led_elsewhere_is_p(p):
    n = 50_000
    targets = small_world.targets(n, 2, 42, None, p).astype(int)
    distance = (targets - np.repeat(np.arange(n), 2)) % n
    elsewhere = distance > 2
    assert elsewhere.mean() == pytest.approx(p, abs=4 * np.sqrt(p / (2 * n)))
    assert np.array_equal(distance[~elsewhere], np.tile([1, 2], n)[~elsewhere])
    middle, spread = n / 4, n / 2 / np.sqrt(12 * elsewhere.sum())
    assert distance[elsewhere].mean() == pytest.approx(middle, abs=4 * spread)


def test_graphs_of_one_seed_are_nested():
    near, far = (small_world.targets(1000, 2, 42, None, p) for p in (0.05, 0.2))
    lattice = ring.targets(1000, 2, 42)
    assert np.array_equal(near[near != lattice], far[near != lattice])
