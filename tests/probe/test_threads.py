import numpy as np
import pytest

import gradcascade as gc
from gradcascade.probe.graph import GraphSpec, build_graph

FIELD = np.random.default_rng(0).standard_normal(1000)


@pytest.mark.parametrize("threads", [0, -1])
@pytest.mark.parametrize(
    "work",
    [
        lambda threads: gc.Probe(threads=threads),
        lambda threads: gc.null("N0", 1000, seed=1, threads=threads),
        lambda threads: gc.null("N1", FIELD, seed=1, threads=threads),
        lambda threads: gc.null("N2", FIELD, seed=1, threads=threads),
        lambda threads: gc.load_graph(GraphSpec("barabasi-albert", 1000, 2, 42), threads),
        lambda threads: build_graph(GraphSpec("ring", 1000, 2, 42), threads),
    ],
    ids=["probe", "N0", "N1", "N2", "load", "ring"],
)
def test_no_thread_is_refused_rather_than_nothing_done(work, threads):
    with pytest.raises(gc.InputError, match=f"threads must be at least 1, got {threads}"):
        work(threads)


@pytest.mark.parametrize(("threads", "words"), [(1025, "at most 1024"), (1.5, "a whole number"), (True, "a whole")])
def test_what_is_no_sensible_number_of_threads_is_refused(threads, words):
    with pytest.raises(gc.InputError, match=words):
        gc.Probe(threads=threads)


def test_too_many_threads_of_the_environment_are_refused(monkeypatch):
    monkeypatch.setenv("GRADCASCADE_THREADS", "100000")
    with pytest.raises(gc.InputError, match="GRADCASCADE_THREADS must be a whole number from 1 to 1024"):
        gc.Probe()(FIELD)


@pytest.mark.parametrize("threads", [7, 100])
def test_more_threads_than_entries_change_nothing(threads):
    field = np.array([0.5, -1.0, 4.0, 0.1, 0.2, -0.3, 3.0, 1.0, 0.0])
    one, many = (gc.Probe(threads=count, graph="random", quantile=0.5)(field) for count in (1, threads))
    assert (one.tau, one.activity.tolist()) == (many.tau, many.activity.tolist())
    for kind in ("N0", "N1", "N2"):
        assert np.array_equal(gc.null(kind, field, 1, threads=1), gc.null(kind, field, 1, threads=threads))
