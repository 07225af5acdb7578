import numpy as np
import pytest
from twins import FIELDS, make_field, relax_on_cpu

from gradcascade.probe import threshold
from gradcascade.probe.engines import active, cpu, filing, reference
from gradcascade.probe.fixedpoint import choose_scale, to_units
from gradcascade.probe.graph import GraphSpec, build_graph
from gradcascade.probe.graphs import GRAPHS

N = 20_000


@pytest.fixture
def all_filed(monkeypatch):
    """Every step is filed, over several buckets and, where all nodes are active, in several rounds."""
    monkeypatch.setattr(cpu, "MANY", 0)
    monkeypatch.setattr(filing, "BUCKET_BITS", 12)
    monkeypatch.setattr(filing, "ROUND", 1)


def scaled(field):
    magnitudes = threshold.survey(field)
    return choose_scale(threshold.quantile(field, 0.9, magnitudes), magnitudes)


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("graph_kind", GRAPHS)
@pytest.mark.parametrize("kind", FIELDS)
def test_filing_gives_the_bits_of_the_reference(all_filed, kind, graph_kind, threads):
    graph = build_graph(GraphSpec(graph_kind, N, 2, 42))
    field = make_field(kind, N, 11)
    scale = scaled(field)
    expected, units = to_units(field, scale), to_units(field, scale)
    steps = reference.relax(expected, graph, scale.threshold, 0.3, 60)
    assert relax_on_cpu(units, graph, scale.threshold, 0.3, 60, threads).tolist() == steps.tolist()
    assert np.array_equal(units, expected)
    assert cpu.measure(field, scale, graph, 0.3, 60, threads).tolist() == steps.tolist()


@pytest.mark.parametrize("threads", [1, 3])
def test_more_contributions_than_the_desk_holds_are_filed_in_rounds(all_filed, monkeypatch, threads):
    rounds = []
    file_all = filing._file_all
    monkeypatch.setattr(filing, "_file_all", lambda *a: rounds.append(file_all(*a)) or rounds[-1])
    graph = build_graph(GraphSpec("barabasi-albert", N, 2, 42))
    units = np.random.default_rng(1).integers(1, 1000, N)
    expected = units.copy()
    relax_on_cpu(units, graph, 0, 0.3, 3, threads)
    reference.relax(expected, graph, 0, 0.3, 3)
    assert rounds.count(True) >= 3 and rounds.count(False) == 3
    assert np.array_equal(units, expected)


@pytest.mark.parametrize("n", [1, 63, 64, 65, 1023, 1024, 1025, 5000])
def test_marks_are_the_active_nodes(n):
    units = np.random.default_rng(n).integers(-100, 101, n)
    marks = active.Marks.of(n)
    active.mark_active(units, 90, *marks, 3)
    bits = np.unpackbits(marks.words.view(np.uint8), bitorder="little")[:n]
    assert np.array_equal(bits.astype(bool), np.abs(units) > 90)
    grouped = np.add.reduceat(bits, np.arange(0, n, 1 << active.GROUP_BITS))
    assert np.array_equal(marks.groups.astype(bool), grouped > 0)


@pytest.mark.parametrize("unit", [0, 5, -5, 6, -6, 2**62 - 1, -(2**62) + 1])
@pytest.mark.parametrize("threshold", [0, 5, 2**61])
def test_above_is_a_comparison_of_magnitudes(unit, threshold):
    assert active.above(np.int64(unit), np.int64(threshold)) == (abs(unit) > threshold)


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_the_list_holds_rows_shares_and_running_ends_in_order(parts):
    graph = build_graph(GraphSpec("barabasi-albert", 5000, 2, 42))
    units = np.random.default_rng(2).integers(-1000, 1001, 5000)
    before = units.copy()
    marks = active.Marks.of(5000)
    active.mark_active(units, 800, *marks, parts)
    listed = active.take_active(units, graph.offsets, 0, marks, 800, 0.3, parts)
    nodes = np.flatnonzero(np.abs(before) > 800)
    degrees = graph.degrees()[nodes]
    shares = np.trunc(before[nodes] * (0.3 / degrees)).astype(np.int64)
    assert listed.rows.tolist() == graph.offsets[nodes].tolist()
    assert listed.ends.tolist() == np.cumsum(degrees).tolist()
    assert listed.shares.tolist() == shares.tolist()
    before[nodes] -= shares * degrees
    assert np.array_equal(units, before)


def test_the_workspace_is_kept_for_the_next_field_and_never_shared():
    graph = build_graph(GraphSpec("barabasi-albert", N, 2, 42))
    field = make_field("normal", N, 1)
    scale = scaled(field)
    first = cpu.measure(field, scale, graph, 0.3, 500)
    (kept,) = cpu._Workspace.kept
    assert kept.n == N
    taken = cpu._Workspace.take(N, 1)
    assert taken is kept and cpu._Workspace.take(N, 1) is not kept
    assert cpu.measure(field, scale, graph, 0.3, 500).tolist() == first.tolist()
    assert cpu._Workspace.take(N, 2).threads == 2


def test_buckets_grow_with_the_field():
    for n in (3, 2**16, 2**16 + 1, 9_437_184, 405_334_016, 2**31 - 1):
        bits = filing.bucket_bits(n)
        assert bits >= filing.BUCKET_BITS and ((n - 1) >> bits) + 1 <= max(filing.BUCKETS, 1)
