import numpy as np
import pytest
from twins import FIELDS, RELAX, dense_double, make_field, sparse_double

from gradcascade.probe import threshold
from gradcascade.probe.fixedpoint import choose_scale, to_units
from gradcascade.probe.graph import GraphSpec, build_graph
from gradcascade.probe.graphs import GRAPHS
from gradcascade.probe.relaxation import Probe

ENGINES = ["reference", "cpu"]  # the CUDA engine has its own tests


def relaxed(name, field, graph, alpha=0.3, q=0.9, max_steps=500, threads=1):
    magnitudes = threshold.survey(field)
    scale = choose_scale(threshold.quantile(field, q, magnitudes), magnitudes)
    units = to_units(field, scale)
    total = int(units.sum())
    activity = RELAX[name](units, graph, scale.threshold, alpha, max_steps, threads)
    return activity, units, total


@pytest.mark.parametrize("seed", [42, 7])
@pytest.mark.parametrize("n", [3, 4, 10, 101, 1000])
@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("engine", ENGINES)
def test_agrees_with_the_dense_double_precision_twin(engine, kind, n, seed):
    graph = build_graph(GraphSpec("barabasi-albert", n, 2, seed))
    field = make_field(kind, n, seed)
    expected, _ = dense_double(field, graph)
    measured = Probe(engine=engine, graph_seed=seed)(field, graph)
    assert measured.activity.tolist() == expected.tolist()
    assert measured.ceiling == (len(expected) == 500)


@pytest.mark.parametrize("n", [9, 250, 1000])
@pytest.mark.parametrize("graph_kind", GRAPHS.names[1:])
@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("engine", ENGINES)
def test_agrees_with_the_dense_twin_on_every_kind_of_graph(engine, kind, graph_kind, n):
    graph = build_graph(GraphSpec(graph_kind, n, 2, 42))
    field = make_field(kind, n, 1)
    expected, _ = dense_double(field, graph)
    assert Probe(engine=engine)(field, graph).activity.tolist() == expected.tolist()


@pytest.mark.parametrize("graph_kind", GRAPHS)
@pytest.mark.parametrize("kind", FIELDS)
def test_agrees_with_double_precision_on_a_larger_field(kind, graph_kind):
    graph = build_graph(GraphSpec(graph_kind, 147_456, 2, 42))
    field = make_field(kind, graph.n, 5)
    expected, _ = sparse_double(field, graph)
    measured = Probe()(field, graph)
    assert measured.duration == len(expected)
    assert abs(measured.size - expected.sum()) <= 1e-6 * expected.sum()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("graph_kind", GRAPHS)
@pytest.mark.parametrize("kind", FIELDS)
def test_every_engine_and_thread_count_gives_the_same_bits(kind, graph_kind, dtype):
    graph = build_graph(GraphSpec(graph_kind, 20_000, 2, 42))
    field = make_field(kind, graph.n, 11, dtype)
    expected, relaxed_units, _ = relaxed("reference", field, graph)
    for threads in (1, 2, 3, 4):
        activity, units, _ = relaxed("cpu", field, graph, threads=threads)
        assert activity.tolist() == expected.tolist(), threads
        assert np.array_equal(units, relaxed_units), threads


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_signed_total_is_conserved_exactly(engine, kind):
    graph = build_graph(GraphSpec("barabasi-albert", 2_000, 2, 42))
    _, units, total = relaxed(engine, make_field(kind, graph.n, 3), graph)
    assert int(units.sum()) == total


@pytest.mark.parametrize("engine", ENGINES)
def test_an_isolated_spike_spreads_by_the_rule(engine):
    graph = build_graph(GraphSpec("barabasi-albert", 50, 2, 42))
    field = np.full(50, 1.0)
    field[49] = 1.5  # the last node has exactly two neighbours
    activity, units, _ = relaxed(engine, field, graph, max_steps=1)
    one = units[np.setdiff1d(np.arange(49), graph.neighbours[graph.offsets[49] :])][0]
    assert activity.tolist() == [1]
    assert units[49] / one == pytest.approx(1.5 * 0.7)
    for neighbour in graph.neighbours[graph.offsets[49] :]:
        assert units[neighbour] / one == pytest.approx(1 + 1.5 * 0.3 / 2)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_ceiling_stops_a_field_that_never_rests(engine):
    field = np.zeros(100)
    field[:5] = [1, 2, 3, -1, 4]
    cascade = Probe(engine=engine)(field)
    assert (cascade.tau, cascade.duration, cascade.ceiling) == (0.0, 500, True)
    assert Probe(engine=engine, max_steps=20)(field).duration == 20


@pytest.mark.parametrize("engine", ENGINES)
def test_an_all_zero_field_has_no_cascade(engine):
    cascade = Probe(engine=engine)(np.zeros(100, np.float32))
    assert (cascade.size, cascade.duration, cascade.ceiling, cascade.v_abs, cascade.v_rel) == (0, 0, False, 0, 0)
