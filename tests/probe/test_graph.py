import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from slow_graphs import later_nodes

from gradcascade.errors import InputError
from gradcascade.probe.graph import (
    GraphSpec,
    _read_or_build,
    build_graph,
    forget_graphs,
    from_edges,
    load_graph,
    read_name,
)
from gradcascade.probe.graphs import GRAPHS
from gradcascade.probe.graphs import _barabasi_albert as barabasi_albert


def spec(n=500, m=2, seed=42, kind="barabasi-albert"):
    return GraphSpec(kind, n, m, seed)


def test_rows_hold_every_edge_in_both_directions():
    graph = build_graph(spec())
    u, v = later_nodes(500, 2), barabasi_albert.targets(500, 2, 42)
    for node in range(500):
        row = sorted(graph.neighbours[graph.offsets[node] : graph.offsets[node + 1]])
        assert row == sorted([*v[u == node], *u[v == node]])
    assert graph.degrees().tolist() == np.bincount(np.concatenate([u, v])).tolist()


@pytest.mark.parametrize("n", [9, 10, 101, 1000])
@pytest.mark.parametrize("kind", GRAPHS)
def test_every_kind_is_simple_symmetric_and_of_mean_degree_four(kind, n):
    graph = build_graph(spec(n, kind=kind))
    adjacency = np.zeros((n, n), int)
    rows = np.repeat(np.arange(n), graph.degrees())
    np.add.at(adjacency, (rows, graph.rows()[1]), 1)
    assert adjacency.max() == 1
    assert not adjacency.diagonal().any()
    assert (adjacency == adjacency.T).all()
    assert adjacency.sum() == (4 * (n - 2) if kind == "barabasi-albert" else 4 * n)
    assert graph.degrees().min() >= 1
    assert graph.neighbours.dtype == np.int32 and graph.offsets.dtype == np.uint32


@pytest.mark.parametrize("kind", GRAPHS)
def test_random_kinds_depend_on_the_seed_and_on_nothing_else(kind):
    first, again, other = (build_graph(spec(200, kind=kind, seed=seed)).edges().tolist() for seed in (1, 1, 2))
    assert first == again
    assert (first == other) == (kind in ("ring", "regular"))


def test_names_are_unique_and_can_be_read_back():
    specs = [spec(n, kind=kind, seed=seed) for kind in GRAPHS for n in (100, 101) for seed in (42, -1)]
    assert len({wanted.name for wanted in specs}) == len(specs)
    for wanted in specs:
        assert read_name(wanted.name) == (wanted.kind, wanted.n)
    assert read_name("something-else") is None


def test_edges_of_ones_own_reach_every_node():
    u, v = np.array([1, 4], np.int32), np.array([0, 0], np.int32)
    with pytest.raises(InputError, match=r"2 of 5 nodes have no edge \(the first is node 2\)"):
        from_edges(5, u, v)


@pytest.mark.parametrize("end", [-1, 5])
def test_edges_of_ones_own_stay_among_the_nodes(end):
    u, v = np.array([1, 2, 3, 4], np.int32), np.array([0, 1, 2, end], np.int32)
    with pytest.raises(InputError, match=f"an edge leads to node {end}, but the 5 nodes are numbered 0 to 4"):
        from_edges(5, u, v)


def test_edges_are_listed_once_in_order():
    edges = build_graph(spec()).edges()
    assert edges.dtype == np.int64 and edges.shape == (996, 2)
    assert (edges[:, 0] > edges[:, 1]).all()
    assert edges.tolist() == sorted(edges.tolist())


def test_the_cached_graph_is_the_built_one():
    wanted = spec(n=777)
    built = build_graph(wanted)
    forget_graphs()
    for _ in range(2):
        loaded = load_graph(wanted)
        assert np.array_equal(loaded.offsets, built.offsets)
        assert np.array_equal(loaded.neighbours, built.neighbours)
        forget_graphs()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kind": "lattice"}, "'lattice' is unknown; choose one of barabasi-albert"),
        ({"n": 2}, "needs 3 to"),
        ({"n": 3, "m": 3}, "needs 4 to"),
        ({"m": 0}, "at least 1"),
        ({"n": 2**31}, "2,147,483,647 nodes"),
        ({"kind": "ring", "n": 4}, "ring graph with m = 2 needs 5 to"),
        ({"kind": "small-world-0.2", "n": 8}, "needs 9 to"),
        ({"kind": "random", "m": 3}, "a random graph has m = 2, got 3"),
    ],
)
def test_graphs_that_cannot_be_are_refused(settings, words):
    with pytest.raises(InputError, match=words):
        spec(**settings)


def test_of_several_processes_one_builds_a_graph_and_the_others_read_it(monkeypatch):
    spec = GraphSpec("barabasi-albert", 3_001, 2, 77)
    built = []

    def slowly(spec, threads):
        built.append(spec)
        time.sleep(0.2)
        return build_graph(spec, threads)

    monkeypatch.setattr("gradcascade.probe.graph.build_graph", slowly)
    with ThreadPoolExecutor(2) as pool:  # the lock is one of files, so threads stand for processes
        first, second = pool.map(lambda _: _read_or_build(spec, 1), range(2))
    assert built == [spec]
    assert np.array_equal(first.neighbours, second.neighbours) and np.array_equal(first.offsets, second.offsets)
