import numpy as np
import torch

import gradcascade as gc
from gradcascade import benchmark


def test_the_rule_through_scipy_is_the_same_rule():
    probe = gc.Probe()
    graph = probe.graph_for(20_000)
    field = gc.null("N0", 20_000, seed=1)
    matrix = benchmark.spreading_matrix(graph)
    assert benchmark.sparse_cascade(field.astype(np.float64), matrix, probe) == probe(field, graph).duration


def test_the_rule_through_torch_is_the_same_rule():
    probe = gc.Probe()
    graph = probe.graph_for(20_000)
    field = gc.null("N0", 20_000, seed=1)
    double = torch.from_numpy(field).double()
    assert benchmark.sparse_cascade(double, benchmark.torch_matrix(graph), probe) == probe(field, graph).duration


def test_growth_is_measured_by_quantile_and_by_threads():
    rows = benchmark.by_quantile(5_000, (0.99, 0.5), threads=1, repetitions=1)
    assert rows[0]["size_share"] < rows[1]["size_share"] and all(row["seconds"] > 0 for row in rows)
    assert [row["threads"] for row in benchmark.by_threads(5_000, (1, 2), 1)] == [1, 2]


def test_the_floor_counts_every_activation_and_contribution():
    # A star of two leaves in which only one leaf is active, once: one row of one neighbour.
    graph = gc.Probe().graph_for(3)
    field = np.array([0.0, 0.1, 1.0], np.float32)
    assert gc.Probe()(field, graph).activity.tolist()[0] == 1
    events = gc.Probe(max_steps=1)
    assert benchmark.floor_bytes(field, graph, events) == 4 * 3 + 12 * (1 + 1)


def test_a_timing_is_complete():
    timing = benchmark.measure(5_000, threads=1, repetitions=1, memory=False)
    assert timing.n == 5_000 and timing.seconds > 0 and timing.scipy_seconds and timing.torch_seconds
    assert timing.entries_per_second == timing.n / timing.seconds
    assert timing.peak_bytes_per_entry is None
