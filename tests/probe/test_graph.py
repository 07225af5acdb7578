import numpy as np
import pytest

from gradcascade.errors import InputError
from gradcascade.probe import barabasi_albert
from gradcascade.probe.graph import GraphSpec, build_graph, load_graph


def spec(n=500, m=2, seed=42, kind="barabasi-albert"):
    return GraphSpec(kind, n, m, seed)


def test_rows_hold_every_edge_in_both_directions():
    graph = build_graph(spec())
    u, v = barabasi_albert.sources(500, 2), barabasi_albert.targets(500, 2, 42)
    for node in range(500):
        row = sorted(graph.neighbours[graph.offsets[node] : graph.offsets[node + 1]])
        assert row == sorted([*v[u == node], *u[v == node]])
    assert graph.degrees().tolist() == np.bincount(np.concatenate([u, v])).tolist()


def test_edges_are_listed_once_in_order():
    edges = build_graph(spec()).edges()
    assert edges.dtype == np.int64 and edges.shape == (996, 2)
    assert (edges[:, 0] > edges[:, 1]).all()
    assert edges.tolist() == sorted(edges.tolist())


def test_the_cached_graph_is_the_built_one():
    wanted = spec(n=777)
    built = build_graph(wanted)
    load_graph.cache_clear()
    for _ in range(2):
        loaded = load_graph(wanted)
        assert np.array_equal(loaded.offsets, built.offsets)
        assert np.array_equal(loaded.neighbours, built.neighbours)
        load_graph.cache_clear()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kind": "lattice"}, "'lattice' is unknown; choose one of barabasi-albert"),
        ({"n": 2}, "needs 3 to"),
        ({"n": 3, "m": 3}, "needs 4 to"),
        ({"m": 0}, "at least 1"),
        ({"n": 2**31}, "2,147,483,647 nodes"),
    ],
)
def test_graphs_that_cannot_be_are_refused(settings, words):
    with pytest.raises(InputError, match=words):
        spec(**settings)
