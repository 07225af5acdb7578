"""Fields that cannot be held are refused with the bytes they would take; none of these tests allocates them."""

import re
import sys

import numpy as np
import pytest
from sample_runs import write_pico_run

import gradcascade as gc
from gradcascade.cli.main import main
from gradcascade.probe import capacity
from gradcascade.probe.graph import GraphSpec, load_graph
from gradcascade.probe.graphs import MAX_NODES
from gradcascade.study.plan import FamilyPlan, NullPlan, Plan, ProbePlan

PYTHIA_12B = 11_846_072_320


def field_of(n, *shape):
    """A field of so many entries that all are the same four bytes."""
    return np.broadcast_to(np.float32(1), shape or (n,))


@pytest.mark.parametrize(("graph", "size"), [("barabasi-albert", "693.0 GB"), ("regular", "219.2 GB")])
def test_more_nodes_than_numbers_of_32_bits_are_refused_with_their_bytes(graph, size):
    words = rf"{PYTHIA_12B:,} entries has more than the {MAX_NODES:,} .*would take {re.escape(size)} \("
    for field in (field_of(PYTHIA_12B), [field_of(0, 2, PYTHIA_12B // 2)]):
        with pytest.raises(gc.InputError, match=words):
            gc.Probe(graph=graph)(field)
    capacity.check_entries(MAX_NODES, graph, host=False)


def test_a_machine_that_is_too_small_is_told_how_much_it_would_take(monkeypatch):
    monkeypatch.setattr(capacity, "memory", lambda: 24 * 10**9)
    n = 2_000_000_000
    with pytest.raises(gc.InputError, match=r"takes 34\.0 GB of memory \(17 bytes an entry; .*24\.0 GB here"):
        gc.Probe()(field_of(n))
    with pytest.raises(gc.InputError, match=r"takes 34\.0 GB of memory"):
        gc.Probe(graph="regular").relax(field_of(n))
    capacity.check_entries(n, "barabasi-albert", host=False)  # a GPU has memory of its own
    with pytest.raises(gc.InputError, match=r"building the ring graph of 1,000,000,000 nodes takes 41\.0 GB"):
        load_graph(GraphSpec("ring", 1_000_000_000, 2, 42))
    capacity.check_building(1_000_000_000, "regular")  # computed, never built
    monkeypatch.setattr(capacity, "memory", lambda: None)
    capacity.check_entries(n, "barabasi-albert")  # where the system does not say, nothing is claimed


def test_what_is_measured_is_what_is_counted(monkeypatch):
    """A field that just fits is measured, one entry more is not."""
    monkeypatch.setattr(capacity, "memory", lambda: 17_000)
    field = np.random.default_rng(0).standard_normal(1001).astype(np.float32)
    assert gc.Probe(graph="regular")(field[:1000]).n == 1000
    with pytest.raises(gc.InputError, match=r"17,017|0\.0 MB of memory"):
        gc.Probe(graph="regular")(field)


def test_the_memory_of_this_machine_is_read():
    found = capacity.memory.__wrapped__()
    assert found is None or found > 10**8


@pytest.fixture
def said(monkeypatch, capsys):
    def run(*words):
        monkeypatch.setattr(sys, "argv", ["gradcascade", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr()

    return run


def test_the_commands_refuse_before_anything_is_read(said, tmp_path):
    """A file of 12 billion entries that takes no room on disk."""
    file = tmp_path / "large.npy"
    with file.open("wb") as out:
        np.lib.format.write_array_header_1_0(out, {"descr": "<f4", "fortran_order": False, "shape": (PYTHIA_12B,)})
        out.truncate(out.tell() + 4 * PYTHIA_12B)
    code, found = said("probe", file)
    assert code == 2 and "would take 693.0 GB (58.5 bytes an entry)" in found.err


def test_a_scale_that_does_not_fit_is_refused_and_the_others_are_measured(said, monkeypatch, tmp_path):
    for width in (6, 12):
        write_pico_run(tmp_path / "runs" / f"tiny-d{width}", (0, 10), width, blocks=1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(capacity, "memory", lambda: 17 * 300)
    code, found = said("measure", "runs", "--out", "study", "--dry-run")
    assert code == 2 and re.search(r"a field of 768 entries takes .* of memory", found.err)
    plan = Plan(
        families=(FamilyPlan(name="tiny", path="../runs"),),
        probe=ProbePlan(graph="regular"),
        nulls=NullPlan(kinds=()),
    )
    with gc.Study.create("study", plan) as study:
        outcome = gc.run(study)
        assert outcome.measured == 3 and all("of 768 entries takes" in words for words in outcome.refused)
        assert set(study.cascades()["n"]) == {192}
        assert set(study.refusals()["code"]) == {"unmeasurable"}
