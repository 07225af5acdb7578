import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twins import FIELDS, dense_double, make_field

import gradcascade as gc
from gradcascade.probe.graph import GraphSpec, build_graph, from_edges
from gradcascade.probe.graphs import GRAPHS
from gradcascade.probe.threads import thread_count

fields = st.builds(
    make_field,
    kind=st.sampled_from(sorted(FIELDS)),
    n=st.integers(3, 400),
    seed=st.integers(0, 2**16),
    dtype=st.sampled_from([np.float32, np.float64]),
)


@given(fields)
def test_the_sign_of_a_field_changes_nothing(field):
    assert gc.Probe()(-field).activity.tolist() == gc.Probe()(field).activity.tolist()


@given(fields, st.integers(-60, 60))
def test_a_power_of_two_changes_no_bit(field, exponent):
    scaled = field.astype(np.float64) * 2.0**exponent
    assert gc.Probe()(scaled).activity.tolist() == gc.Probe()(field.astype(np.float64)).activity.tolist()


@given(st.integers(3, 400), st.integers(0, 2**16), st.floats(1e-20, 1e20))
def test_a_positive_factor_changes_nothing(n, seed, factor):
    field = make_field("normal", n, seed, np.float64)
    assert gc.Probe()(field * factor).activity.tolist() == gc.Probe()(field).activity.tolist()


@given(fields, st.integers(0, 2**16))
def test_relabelling_graph_and_field_together_changes_nothing(field, seed):
    graph = build_graph(GraphSpec("barabasi-albert", len(field), 2, 42))
    label = np.random.default_rng(seed).permutation(len(field)).astype(np.int32)
    later, earlier = graph.edges().T
    moved = np.empty_like(field)
    moved[label] = field
    renamed = from_edges(len(field), label[later], label[earlier])
    assert gc.Probe()(moved, renamed).activity.tolist() == gc.Probe()(field, graph).activity.tolist()


@given(fields)
def test_the_channels_are_tied_to_each_other(field):
    cascade = gc.Probe()(field)
    assert cascade.size == cascade.activity.sum()
    assert cascade.duration == len(cascade.activity)
    assert cascade.v_rel == cascade.v_abs / cascade.n
    if cascade.duration:
        assert cascade.v_abs == cascade.size / cascade.duration
        assert cascade.activity[0] == np.count_nonzero(np.abs(field.astype(np.float64)) > cascade.tau)


@pytest.mark.parametrize(
    ("n", "seeds", "durations"),
    [(589_824, 4, (6, 9)), (9_437_184, 1, (8, 11))],
    ids=["pico-tiny", "pico-small"],
)
def test_normal_fields_give_the_check_values(n, seeds, durations):
    # METHOD 1: s/N = 0.1350 at every N (spread about 0.0004 at 6e5), single runs last 6 to 11 steps.
    cascades = [gc.Probe()(gc.null("N0", n, seed=seed)) for seed in range(seeds)]
    sizes = [cascade.size / n for cascade in cascades]
    assert np.mean(sizes) == pytest.approx(0.1350, abs=0.0005)
    assert all(durations[0] <= cascade.duration <= durations[1] for cascade in cascades)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"alpha": 0.0}, "alpha must lie between 0 and 1"),
        ({"alpha": 1.0}, "alpha must lie between 0 and 1"),
        ({"alpha": float("nan")}, "alpha must lie between 0 and 1"),
        ({"quantile": 1.5}, "quantile must lie between 0 and 1"),
        ({"max_steps": 0}, "max_steps must be at least 1"),
        ({"graph": "lattice"}, "choose one of barabasi-albert"),
        ({"engine": "abacus"}, "choose one of auto"),
        ({"estimator": "guess"}, "exact or subsample"),
        ({"threads": 0}, "threads must be at least 1"),
        ({"m": 0}, "m must be at least 1"),
    ],
)
def test_settings_out_of_range_are_refused(settings, words):
    with pytest.raises(gc.InputError, match=words):
        gc.Probe(**settings)


def test_a_field_that_is_not_finite_is_refused_with_its_place():
    field = np.ones(10)
    field[[4, 7]] = np.nan, np.inf
    with pytest.raises(gc.InputError, match=r"2 of 10 entries.*nan, at index 4"):
        gc.Probe()(field)


@pytest.mark.parametrize("kind", GRAPHS)
def test_every_kind_of_graph_can_be_asked_for(kind):
    field = make_field("normal", 2_000, 1)
    cascade = gc.Probe(graph=kind)(field)
    assert cascade.activity[0] == 200 and not cascade.ceiling


def test_a_graph_of_another_size_is_refused():
    graph = build_graph(GraphSpec("barabasi-albert", 20, 2, 42))
    with pytest.raises(gc.InputError, match="20 nodes and the field 10 entries"):
        gc.Probe()(np.ones(10), graph)


def test_the_hash_names_what_determines_the_result():
    assert gc.Probe().hash == gc.Probe(engine="reference", threads=1).hash
    changed = [{"alpha": 0.2}, {"quantile": 0.8}, {"graph_seed": 1}, {"max_steps": 9}, {"estimator": "subsample"}]
    assert len({gc.Probe(**settings).hash for settings in [{}, *changed]}) == 6


def test_settings_may_be_numbers_of_numpy():
    numbers: dict[str, Any] = {"m": np.int64(2), "graph_seed": np.int64(42), "max_steps": np.int32(500)}
    probe = gc.Probe(alpha=np.float64(0.3), **numbers)
    assert probe.hash == gc.Probe().hash
    field = make_field("normal", 500, 1)
    assert probe(field).activity.tolist() == gc.Probe()(field).activity.tolist()


def test_the_number_of_threads_comes_from_the_call_then_the_environment(monkeypatch):
    monkeypatch.setenv("GRADCASCADE_THREADS", "3")
    assert (thread_count(), thread_count(1)) == (3, 1)
    monkeypatch.setenv("GRADCASCADE_THREADS", "many")
    with pytest.raises(gc.InputError, match="GRADCASCADE_THREADS"):
        thread_count()


@given(fields, st.sampled_from(["reference", "cpu"]), st.sampled_from(GRAPHS.names))
def test_the_relaxed_field_is_that_of_the_dense_twin(field, engine, kind):
    graph = build_graph(GraphSpec(kind, max(len(field), 10), 2, 42))
    field = np.resize(field, graph.n)
    probe = gc.Probe(engine=engine, max_steps=20)
    found = probe.relax(field, graph)
    activity, expected = dense_double(field, graph, max_steps=20)
    assert found.cascade.activity.tolist() == activity.tolist() == probe(field, graph).activity.tolist()
    assert found.field.dtype == np.float64
    largest = float(np.abs(field.astype(np.float64)).max(initial=0.0))
    # Each step cuts a share to units of 2**-40 of tau or less, and there are at most 20 with a few neighbours each.
    np.testing.assert_allclose(found.field, expected, rtol=1e-9, atol=1e-9 * found.cascade.tau + 1e-15 * largest)
    assert vars(found.cascade).keys() == vars(probe(field, graph)).keys()


@given(fields)
def test_relaxing_conserves_the_signed_total_and_what_it_does_not_touch(field):
    graph = build_graph(GraphSpec("barabasi-albert", len(field), 2, 42))
    field = field.astype(np.float64)
    found = gc.Probe(max_steps=1).relax(field, graph)
    later, earlier = graph.edges().T
    touched = active = np.abs(field) > found.cascade.tau
    for near, far in ((later, earlier), (earlier, later)):
        touched = touched | np.bincount(near[active[far]], minlength=graph.n).astype(bool)
    assert np.array_equal(found.field[~touched], field[~touched])
    rounding = 4 * np.finfo(np.float64).eps * (np.abs(field).sum() + np.abs(found.field).sum())
    assert abs(math.fsum(found.field) - math.fsum(field)) <= rounding


def test_tensors_are_relaxed_in_the_order_in_which_they_are_measured():
    a, b = (np.random.default_rng(seed).standard_normal(40) for seed in (1, 2))
    whole = gc.Probe().relax(np.concatenate([a, b])).field
    assert np.array_equal(gc.Probe().relax([a.reshape(5, 8), b]).field, whole)
    assert np.array_equal(gc.Probe().relax({"b": b, "a": a}).field, whole)
