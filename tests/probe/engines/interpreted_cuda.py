"""Tests of the CUDA engine through Triton's interpreter; test_cuda.py runs them with TRITON_INTERPRET=1."""

import json

import numpy as np
import pytest
import torch
from triton.runtime import interpreter  # pyright: ignore[reportMissingImports]
from twins import FIELDS, RELAX, make_field
from typer.testing import CliRunner

import gradcascade as gc
from gradcascade.cli.main import app
from gradcascade.memory import release
from gradcascade.probe import threshold
from gradcascade.probe.array import as_field
from gradcascade.probe.engines import reference
from gradcascade.probe.engines.cuda import arrays, counting, device, relaxing
from gradcascade.probe.fixedpoint import choose_scale, to_units
from gradcascade.probe.graph import Graph, GraphSpec, build_graph, from_edges
from gradcascade.probe.graphs import GRAPHS
from gradcascade.probe.magnitudes import value

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    """Many programs for few entries: every launch has a last program that is not full."""
    monkeypatch.setattr(relaxing, "BLOCK", 128)
    monkeypatch.setattr(relaxing, "SPAN", 64)
    monkeypatch.setattr(counting, "BLOCK", 256)
    monkeypatch.setattr(counting, "COPIES", 4)
    monkeypatch.setattr(arrays, "CHUNK", 100)
    yield
    arrays.release()  # not everything: collecting the garbage of torch takes most of the time of these tests


def scaled(field):
    magnitudes = threshold.survey(field)
    return choose_scale(threshold.quantile(field, 0.9, magnitudes), magnitudes)


def relax(units, graph, tau, max_steps=500):
    tensor = torch.from_numpy(units.copy())
    activity = relaxing.relax(tensor, *arrays.resident(graph, CPU), tau, 0.3, max_steps)
    return activity.tolist(), tensor.numpy()


def assert_same_bits(field, graph, max_steps):
    """The CUDA engine's tau, activity and relaxed units are those of the reference and the CPU engine."""
    scale = scaled(field)
    activity, units = relax(to_units(field, scale), graph, scale.threshold, max_steps)
    for relax_on_host in RELAX.values():
        expected_units = to_units(field, scale)
        assert activity == relax_on_host(expected_units, graph, scale.threshold, 0.3, max_steps, 1).tolist()
        assert np.array_equal(units, expected_units)


@pytest.mark.parametrize("graph_kind", GRAPHS)
@pytest.mark.parametrize("kind", FIELDS)
def test_every_kind_of_field_on_every_kind_of_graph_gives_the_same_bits(kind, graph_kind):
    dtype = np.float64 if graph_kind == "random" else np.float32
    assert_same_bits(make_field(kind, 301, 11, dtype), build_graph(GraphSpec(graph_kind, 301, 2, 42)), 6)


@pytest.mark.parametrize("n", [3, 127, 128, 129])
def test_any_number_of_nodes_gives_the_same_bits(n):
    assert_same_bits(make_field("heavy-tailed", n, 2), build_graph(GraphSpec("barabasi-albert", n, 2, 42)), 5)


def test_a_hub_that_fills_many_blocks_hands_on_to_all_and_receives_from_all():
    leaves = np.arange(1, 600, dtype=np.int32)
    graph = from_edges(600, np.zeros(599, np.int32), leaves)
    field = make_field("normal", 600, 1)
    field[0] = 1e4
    assert_same_bits(field, graph, 4)


def test_offsets_of_64_bits_give_the_same_bits():
    narrow = build_graph(GraphSpec("barabasi-albert", 300, 2, 42))
    wide = Graph(None, narrow.offsets.astype(np.int64), narrow.neighbours)
    assert arrays.resident(wide, CPU).offsets.dtype == torch.int64
    assert_same_bits(make_field("normal", 300, 1), wide, 10)


def test_offsets_beyond_31_bits_are_read_as_unsigned():
    offset = np.array([2**31 + 5, 2**32 - 1], np.uint32)
    uploaded = arrays.upload(offset, CPU)
    assert uploaded.dtype == torch.int32 and uploaded.numpy().view(np.uint32).tolist() == offset.tolist()
    # Only the differences of the offsets and the places they lead to matter: shift both by 2**32 - 8.
    base = 2**32 - 8
    units = torch.tensor([100, 0, 0], dtype=torch.int64)
    shifted = torch.from_numpy((np.array([0, 2, 4, 6]) + base).astype(np.uint32).view(np.int32))
    neighbours = torch.from_numpy(np.array([1, 2, 0, 2, 0, 1], np.int32))
    relaxation = relaxing._Relaxation(units, shifted, neighbours, 10, 0.3)
    active = relaxation.begin()
    assert (active.count, active.contributions) == (1, 2)
    assert (int(active.nodes[0]), int(active.shifts[0]), int(active.shares[0])) == (0, base, 15)


@pytest.mark.parametrize("kind", ["heavy-tailed", "spikes"])
@pytest.mark.parametrize("order", ["backwards", "shuffled"])
def test_programs_in_any_order_give_the_same_bits(monkeypatch, order, kind):
    builder = interpreter.interpreter_builder
    in_order, moved = builder.set_grid_idx, []

    def elsewhere(x, y, z):
        count = builder.grid_dim[0]
        place = count - 1 - x if order == "backwards" else int(np.random.default_rng(count).permutation(count)[x])
        moved.append(place != x)
        in_order(place, y, z)

    monkeypatch.setattr(builder, "set_grid_idx", elsewhere)
    assert_same_bits(make_field(kind, 501, 11), build_graph(GraphSpec("barabasi-albert", 501, 2, 42)), 6)
    assert sum(moved) > len(moved) / 2


def test_a_node_that_is_lifted_twice_is_listed_once():
    graph = from_edges(4, np.zeros(3, np.int32), np.array([1, 2, 3], np.int32))
    units = np.array([0, 40, -40, 40])  # node 0 gets 12, -12 and 12
    relaxation = relaxing._Relaxation(torch.from_numpy(units), *arrays.resident(graph, CPU), 5, 0.3)
    candidates = relaxation.spread(relaxation.begin())
    assert int(candidates.lifted) == 2
    active = relaxation.settle(candidates)
    assert sorted(active.nodes[: active.count].tolist()) == [0, 1, 2, 3]
    assert (active.count, active.contributions) == (4, 6)


def test_claims_are_given_back():
    graph = build_graph(GraphSpec("barabasi-albert", 200, 2, 42))
    units = torch.from_numpy(np.random.default_rng(1).integers(-1000, 1001, 200))
    relaxation = relaxing._Relaxation(units, *arrays.resident(graph, CPU), 700, 0.3)
    active = relaxation.settle(relaxation.spread(relaxation.begin()))
    words = np.zeros(200 // 32 + 1, np.uint32)
    for node in active.nodes[: active.count].tolist():
        words[node >> 5] |= np.uint32(1 << (node & 31))
    assert relaxation.marks.numpy().view(np.uint32).tolist() == words.tolist()
    relaxation.spread(active)
    assert not relaxation.marks.any()


@pytest.mark.parametrize("max_steps", [1, 7])
def test_at_the_ceiling_nothing_more_is_handed_on(max_steps):
    graph = build_graph(GraphSpec("barabasi-albert", 100, 2, 42))
    field = np.zeros(100)
    field[:5] = [1, 2, 3, -1, 4]
    assert_same_bits(field, graph, max_steps)
    cascade = gc.Probe(engine="cuda", max_steps=max_steps)(field)
    assert (cascade.tau, cascade.duration, cascade.ceiling) == (0.0, max_steps, True)


def test_an_all_zero_field_has_no_cascade():
    cascade = gc.Probe(engine="cuda")(np.zeros(100, np.float32))
    assert (cascade.size, cascade.duration, cascade.ceiling, cascade.tau) == (0, 0, False, 0)


@pytest.mark.parametrize("tau", [0, 1, 2**61])
def test_thresholds_of_any_width_give_the_same_bits(tau):
    graph = build_graph(GraphSpec("barabasi-albert", 60, 2, 42))
    units = np.random.default_rng(2).integers(-5, 6, 60)
    units[7] = 2**61 + 12345
    expected = units.copy()
    steps = reference.relax(expected, graph, tau, 0.3, 3)
    activity, found = relax(units, graph, tau, 3)
    assert activity == steps.tolist()
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", FIELDS)
def test_magnitudes_threshold_and_units_are_those_of_the_host(kind, dtype):
    field = make_field(kind, 1001, 3, dtype)
    tensor = torch.from_numpy(field.copy())
    host, found = threshold.survey(field), counting.survey(tensor)
    assert np.array_equal(found.histogram, host.histogram)
    assert (found.largest, found.zeros, found.sum_exponent) == (host.largest, host.zeros, host.sum_exponent)
    assert counting.quantile(tensor, 0.9, found) == threshold.quantile(field, 0.9, host)
    scale = scaled(field)
    assert np.array_equal(counting.to_units(tensor, scale).numpy(), to_units(field, scale))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_neighbouring_order_statistics_may_differ_in_any_digit(dtype):
    width = 8 * np.dtype(dtype).itemsize
    keys = [0, 2, 2, 1 << 17, 1 << (width - 9), (1 << (width - 9)) + 2, 127 << (width - 8)]
    field = np.array([value(key, width) for key in keys], dtype) * np.where(np.arange(7) % 2, -1, 1).astype(dtype)
    tensor = torch.from_numpy(field.copy())
    magnitudes = counting.survey(tensor)
    ordered = np.sort(np.abs(field.astype(np.float64))).tolist()
    for rank in range(6):
        assert list(counting.order_statistics(tensor, rank, magnitudes)) == ordered[rank : rank + 2]


def test_subnormal_entries_are_cut_like_on_the_host():
    field = np.array([1e-45, -3e-42, 1e-39, 2e-38, 0, -1e-38] * 20, np.float32)
    scale = scaled(field)
    units = counting.to_units(torch.from_numpy(field), scale).numpy()
    assert np.array_equal(units, to_units(field, scale)) and np.abs(units[:4]).min() > 0


@pytest.mark.parametrize("seed", [-1, 1, 2**40])
def test_the_subsample_is_that_of_the_host(seed):
    field: np.ndarray = make_field("normal", 3000, 1)
    drawn = counting.subsample(torch.from_numpy(field), seed, 700)
    assert np.array_equal(drawn.numpy(), threshold.subsample(field, seed, 700))
    assert counting.subsample(drawn, seed, 700) is drawn


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_field_that_is_not_finite_is_refused_in_the_same_words(dtype, bad):
    field = np.ones(1000, dtype)
    field[[123, 800]] = bad
    sentences = []
    for engine in ("cpu", "cuda"):
        with pytest.raises(gc.InputError) as caught:
            gc.Probe(engine=engine)(field)
        sentences.append(str(caught.value))
    assert sentences[0] == sentences[1]


BASE = np.random.default_rng(0).standard_normal((20, 30)).astype(np.float16)


@pytest.mark.parametrize(
    "values",
    [
        BASE,
        BASE.astype(np.float64).T,
        torch.from_numpy(BASE.copy())[:, ::2].bfloat16(),
        torch.from_numpy(BASE.astype(np.float32)).requires_grad_(),
        (BASE * 1000).astype(np.int64),
    ],
    ids=["half", "transposed", "strided-bfloat16", "with-gradient", "integers"],
)
def test_the_probe_gives_the_same_cascade_on_every_engine(values):
    expected, found = gc.Probe(engine="cpu")(values), gc.Probe(engine="cuda")(values)
    assert found.activity.dtype == np.int64
    assert found.activity.tolist() == expected.activity.tolist()
    for name in ("n", "tau", "ceiling", "max_over_tau", "zero_share"):
        assert getattr(found, name) == getattr(expected, name)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int32])
@pytest.mark.parametrize("view", [lambda t: t, lambda t: t.T, lambda t: t[3:, 1::2], lambda t: t.reshape(-1)[1:]])
def test_a_tensor_is_flattened_where_it_lives_as_on_the_host(dtype, view):
    tensor = view((torch.from_numpy(BASE.astype(np.float32)) * 10).to(dtype))
    field, expected = arrays.flatten(tensor), as_field(tensor)
    assert field.is_contiguous() and np.array_equal(field.numpy(), expected)
    assert field.numpy().dtype == expected.dtype


def test_the_input_is_never_modified():
    field = torch.from_numpy(BASE.astype(np.float32))
    before = field.clone()
    gc.Probe(engine="cuda")(field)
    assert torch.equal(field, before)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (torch.ones(2), "at least 3 entries, got 2"),
        (torch.ones(5, dtype=torch.complex64), "real floating-point numbers, got complex64"),
    ],
)
def test_what_is_no_field_is_refused_in_the_same_words(values, words):
    for read in (arrays.flatten, as_field):
        with pytest.raises(gc.InputError, match=words):
            read(values)


def test_graphs_stay_on_the_device_until_others_come_or_they_are_released():
    kinds = [GraphSpec("barabasi-albert", n, 2, 42) for n in (10, 20, 30)]
    first = arrays.resident(build_graph(kinds[0]), CPU)
    arrays.resident(build_graph(kinds[1]), CPU)
    assert arrays.resident(build_graph(kinds[0]), CPU) is first
    arrays.resident(build_graph(kinds[2]), CPU)  # in place of the second, which was used least recently
    assert arrays.resident(build_graph(kinds[0]), CPU) is first
    assert [key[0] for key in arrays._resident] == [kinds[2], kinds[0]]
    release()
    assert arrays.resident(build_graph(kinds[0]), CPU) is not first


def test_graphs_of_ones_own_are_told_apart():
    ends = np.arange(5, dtype=np.int32)
    path, star = from_edges(6, ends, ends + 1), from_edges(6, np.zeros(5, np.int32), ends + 1)
    assert arrays.resident(path, CPU).neighbours.tolist() == path.neighbours.tolist()
    assert arrays.resident(star, CPU).neighbours.tolist() == star.neighbours.tolist()
    assert arrays.resident(path, CPU) is arrays.resident(path, CPU)


def test_a_graph_with_too_many_neighbours_is_refused(monkeypatch):
    monkeypatch.setattr(arrays, "SPLIT", 4)
    with pytest.raises(gc.InputError, match=r"less than 2\*\*4 neighbours, got 3\d; use --engine cpu"):
        arrays.resident(build_graph(GraphSpec("barabasi-albert", 10, 2, 42)), CPU)


def test_too_little_memory_is_one_sentence(monkeypatch):
    def fail(*_):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(relaxing, "relax", fail)
    with pytest.raises(gc.InputError, match="memory of cpu is too small"):
        gc.Probe(engine="cuda")(BASE)


def test_the_command_line_measures_with_the_engine(tmp_path):
    np.save(tmp_path / "field.npy", BASE)
    results = []
    for engine in ("cuda", "cpu"):
        words = ["probe", str(tmp_path / "field.npy"), "--engine", engine, "--json"]
        results.append(json.loads(CliRunner().invoke(app, words, catch_exceptions=False).stdout))
    assert [result.pop("engine") for result in results] == ["cuda", "cpu"]
    for result in results:
        result.pop("seconds")
    assert results[0] == results[1]


def test_a_field_in_the_hosts_memory_is_not_sent_to_the_gpu_unasked():
    assert device.interpreted()
    assert gc.Probe().engine_for(torch.ones(5)).name == "cpu"


def test_a_field_in_parts_is_brought_to_the_device_tensor_by_tensor():
    field = make_field("heavy-tailed", 700, 1)
    parts = [torch.from_numpy(field[:300].copy()).double(), field[300:500], torch.from_numpy(field[500:].copy())]
    found, expected = gc.Probe(engine="cuda")(parts), gc.Probe(engine="cpu")(field)
    assert (found.tau, found.activity.tolist()) == (expected.tau, expected.activity.tolist())
    named = {f"layers.{10 - i}.w": part for i, part in enumerate(parts)}
    assert gc.Probe(engine="cuda")(named).tau == expected.tau
    with pytest.raises(gc.InputError, match=r"layers\.9\.w is None"):
        gc.Probe(engine="cuda")({**named, "layers.9.w": None})
