import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twins import FIELDS, make_field, relax_on_cpu

from gradcascade.probe import threshold
from gradcascade.probe.engines import active, cpu, filing, reference, serial
from gradcascade.probe.fixedpoint import choose_scale, to_units
from gradcascade.probe.graph import GraphSpec, build_graph, from_edges
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


@pytest.mark.parametrize("unit", [0, 5, -5, 6, -6, 2**62 - 1, -(2**62) + 1])
@pytest.mark.parametrize("threshold", [0, 5, 2**61])
def test_above_is_a_comparison_of_magnitudes(unit, threshold):
    assert active.above(np.int64(unit), np.int64(threshold)) == (abs(unit) > threshold)


def listed(units, graph, marks, threshold, parts, **how):
    """Rows, ends and shares of the active nodes in order, ends counted through, and the list."""
    found = active.Active.of(graph.n, graph.offsets.dtype, parts)
    active.list_active(units, graph, marks, threshold, 0.3, active.factors_of(0.3), found, **how)
    places = [slice(start, start + used) for start, used in zip(found.starts, found.used, strict=True)]
    ends = [found.ends[place] + before for place, before in zip(places, found.bounds, strict=False)]
    rows, shares = ([column[place] for place in places] for column in (found.rows, found.shares))
    return *(np.concatenate(parts) for parts in (rows, ends, shares)), found


@pytest.mark.parametrize("n", [3, 63, 64, 65, 1023, 1024, 1025, 50_000])
@pytest.mark.parametrize("parts", [1, 2, 5])
@pytest.mark.parametrize("how", ["all", "marked", "field"])
def test_the_list_holds_rows_shares_and_running_ends_in_order(n, parts, how):
    graph = build_graph(GraphSpec("barabasi-albert", n, 2, 42))
    before = np.random.default_rng(n).integers(-1000, 1001, n)
    nodes, degrees = np.flatnonzero(np.abs(before) > 400), graph.degrees()
    units, marks, loading = before.copy(), active.Marks.of(n), {"fresh": True}
    if how == "marked":  # some of them are not active, as where contributions brought a node down again
        candidates = np.union1d(nodes, np.arange(0, n, 7))
        np.bitwise_or.at(marks.words, candidates >> 6, np.uint64(1) << (candidates & 63).astype(np.uint64))
        marks.groups[candidates >> active.GROUP_BITS] = 1
        loading = {}
    elif how == "field":
        units[:] = 77
        loading |= {"field": (before / 1024).astype(np.float32), "powers": (32.0, 32.0)}
    rows, ends, shares, found = listed(units, graph, marks, 400, parts, **loading)
    assert rows.tolist() == graph.offsets[nodes].tolist()
    assert ends.tolist() == np.cumsum(degrees[nodes]).tolist()
    assert shares.tolist() == np.trunc(before[nodes] * (0.3 / degrees[nodes])).astype(np.int64).tolist()
    assert (len(found), found.contributions) == (len(nodes), degrees[nodes].sum())
    before[nodes] -= shares * degrees[nodes]
    assert np.array_equal(units, before)
    bits = np.unpackbits(marks.words.view(np.uint8), bitorder="little")[:n]
    assert np.array_equal(bits.astype(bool), np.abs(before) > 400)  # who stays active is marked, and nobody else
    grouped = np.add.reduceat(bits, np.arange(0, n, 1 << active.GROUP_BITS))
    assert np.array_equal(marks.groups.astype(bool), grouped > 0)


@given(st.floats(2**-20, 1, exclude_max=True))
def test_factors_are_the_quotients_of_a_division(alpha):
    degrees = range(1, active.FACTORS)
    assert active.factors_of(alpha)[1:].tolist() == [alpha / degree for degree in degrees]


@pytest.mark.parametrize("degree", [active.FACTORS - 1, active.FACTORS, active.FACTORS + 1])
def test_the_share_of_a_hub_has_the_bits_of_the_reference(degree):
    spokes = np.arange(1, degree + 1, dtype=np.int32)
    graph = from_edges(degree + 1, np.zeros(degree, np.int32), spokes)
    units = np.random.default_rng(degree).integers(-(2**40), 2**40, degree + 1)
    units[0] = 2**53 + 12_345
    expected = units.copy()
    steps = reference.relax(expected, graph, 2**38, 0.3, 20)
    assert relax_on_cpu(units, graph, 2**38, 0.3, 20, 1).tolist() == steps.tolist()
    assert np.array_equal(units, expected)


@pytest.mark.parametrize("threads", [1, 3])
def test_shares_too_large_to_be_filed_are_added(all_filed, monkeypatch, threads):
    """A bucket of 2**12 nodes leaves 52 bits: shares at both ends of that range, and beyond."""
    spread = []
    everything = serial.spread
    monkeypatch.setattr(serial, "spread", lambda *a: spread.append(a[-1]) or everything(*a))
    graph = build_graph(GraphSpec("ring", N, 2, 42))
    units = np.random.default_rng(4).integers(-(2**30), 2**30, N)
    for place, share in enumerate((2**51 - 1, 2**51, -(2**51), -(2**51) - 1, 2**56, -(2**56) + 99)):
        units[100 * place] = 8 * share  # of which an eighth goes to each of four neighbours
    expected = units.copy()
    steps = reference.relax(expected, graph, 2**28, 0.5, 30)
    assert relax_on_cpu(units, graph, 2**28, 0.5, 30, threads).tolist() == steps.tolist()
    assert spread[0] == 12  # bits of a bucket: only what was left out
    assert np.array_equal(units, expected)


def test_the_workspace_is_kept_for_the_next_field_and_never_shared():
    graph = build_graph(GraphSpec("barabasi-albert", N, 2, 42))
    field = make_field("normal", N, 1)
    scale = scaled(field)
    first = cpu.measure(field, scale, graph, 0.3, 500)
    (kept,) = cpu._Workspace.kept
    taken = cpu._Workspace.take(graph, 1)
    assert taken is kept and cpu._Workspace.take(graph, 1) is not kept
    assert cpu.measure(field, scale, graph, 0.3, 500).tolist() == first.tolist()
    assert cpu._Workspace.take(graph, 2) is not kept


def test_buckets_grow_with_the_field():
    for n in (3, 2**16, 2**16 + 1, 9_437_184, 405_334_016, 2**31 - 1):
        bits = filing.bucket_bits(n)
        assert bits >= filing.BUCKET_BITS and ((n - 1) >> bits) + 1 <= max(filing.BUCKETS, 1)
