"""A kind of graph is one file."""

import json
import subprocess
import sys

import numpy as np
import pytest
from toys import add_module
from typer.testing import CliRunner

import gradcascade as gc
from gradcascade.cli.main import app
from gradcascade.probe.graph import build_graph
from gradcascade.probe.graphs import GRAPHS, GraphKind
from gradcascade.study.plan import Plan, ProbePlan
from gradcascade.study.variants import make_probe

TOY = """
import numpy as np
from gradcascade.probe.graphs.base import GraphKind

def edges(n, m, seed, threads):
    nodes = np.arange(n)
    return np.stack([(nodes + 1) % n, (nodes + 3) % n], axis=1).ravel().astype(np.int32)

GRAPH = GraphKind("skipping-ring", 2.5, "a ring that skips", edges, least_nodes=7, seeded=False)
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    add_module(monkeypatch, tmp_path / "graphs", "gradcascade.probe.graphs", "toy", TOY)


def test_the_kinds_there_are_and_their_order():
    assert GRAPHS.names == ("barabasi-albert", "ring", "small-world-0.05", "small-world-0.2", "random", "regular")
    assert [kind.name for kind in GRAPHS.values() if not kind.seeded] == ["ring", "regular"]


@pytest.mark.usefixtures("toy")
def test_a_toy_in_one_file_is_drawn_written_probed_and_planned(tmp_path):
    graph = build_graph(gc.GraphSpec("skipping-ring", 50, 2, 42))
    assert sorted(graph.neighbours[graph.offsets[0] : graph.offsets[1]].tolist()) == [1, 3, 47, 49]

    edges = tmp_path / "edges.npy"
    run = CliRunner().invoke(app, ["graph", "50", "--kind", "skipping-ring", "--out", str(edges)])
    assert run.exit_code == 0, run.output
    assert np.array_equal(np.load(edges), graph.edges())

    field = np.random.default_rng(1).standard_t(3, 50)
    np.save(tmp_path / "field.npy", field)
    cascade = gc.Probe(graph="skipping-ring")(field)
    run = CliRunner().invoke(app, ["probe", str(tmp_path / "field.npy"), "--graph", "skipping-ring", "--json"])
    assert json.loads(run.stdout)["activity"] == cascade.activity.tolist()
    assert np.array_equal(gc.Probe(engine="reference", graph="skipping-ring")(field).activity, cascade.activity)

    assert make_probe(Plan(probe=ProbePlan(graph="skipping-ring"))).graph == "skipping-ring"
    with pytest.raises(gc.InputError, match="needs 7 to"):
        gc.GraphSpec("skipping-ring", 6, 2, 42)


@pytest.mark.usefixtures("toy")
def test_a_toy_is_compared_with_the_plans_graph_like_any_other():
    from gradcascade.study.choices import choices_of

    assert "graph skipping-ring" in [choice.name for choice in choices_of(Plan(), 1)]
    named = [choice.kind for choice in choices_of(Plan(probe=ProbePlan(graph="skipping-ring")), 1)]
    assert "graph seed" not in named  # nothing in it is drawn


def test_help_lists_the_kinds():
    words = " ".join(CliRunner().invoke(app, ["probe", "--help"]).output.split())
    assert "barabasi-albert, ring, small-world-0.05, small-world-0.2, random or regular" in words


@pytest.mark.parametrize(
    ("edges", "error", "words"),
    [
        (lambda n, m, seed, threads: np.zeros(2 * n), TypeError, "float64"),
        (lambda n, m, seed, threads: np.zeros(n, np.int32), TypeError, r"not int32 \(18,\)"),
        (lambda n, m, seed, threads: np.full(2 * n, n, np.int32), ValueError, "not among its 9"),
        (lambda n, m, seed, threads: np.full(2 * n, -1, np.int32), ValueError, "not among its 9"),
    ],
)
def test_edges_that_would_be_written_outside_the_rows_are_refused(edges, error, words):
    with GRAPHS.added(GraphKind("wrong", 9, "wrong", edges)), pytest.raises(error, match=words):
        build_graph(gc.GraphSpec("wrong", 9, 2, 42))


@pytest.mark.parametrize("name", ["Ring", "a/b", "", ".x", "a b"])
def test_a_kind_whose_name_is_no_file_name_is_refused(name):
    with pytest.raises(ValueError, match="small letters"):
        GraphKind(name, 1, "wrong", stride=lambda n: 2)


def test_a_kind_is_drawn_or_computed():
    with pytest.raises(ValueError, match="edges or a stride"):
        GraphKind("none", 1, "wrong")


def test_declarations_need_no_compiler():
    code = "import sys; from gradcascade.probe.graphs import GRAPHS; list(GRAPHS); assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
