"""Whatever is kept for the next measurement can be given back, and nothing changes by it."""

import gc as collector
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import gradcascade as gc
from gradcascade import memory
from gradcascade.probe import graph as graphs
from gradcascade.probe.engines import cpu
from gradcascade.scaling import series_mean
from gradcascade.sources import checkpoint

N = 6_000_000


def resident() -> int:
    """Bytes of this process's own that are in memory: files that are mapped may stay there, whoever reads them."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) * 1024


@pytest.fixture(scope="module")
def field() -> np.ndarray:
    return np.random.default_rng(5).standard_normal(N).astype(np.float32)


def test_buffers_and_graphs_are_gone_and_the_next_cascade_is_the_same(field):
    probe = gc.Probe(graph="ring", threads=2)
    before = probe(field)
    (kept,) = cpu._Workspace.kept
    held = [weakref.ref(kept.units), weakref.ref(kept.desk.entries), weakref.ref(probe.graph_for(N))]
    del kept
    assert all(reference() is not None for reference in held)
    gc.release()
    assert not any(reference() for reference in held)
    assert not cpu._Workspace.kept
    assert not graphs._loaded
    after = probe(field)
    assert (after.tau, after.max_over_tau) == (before.tau, before.max_over_tau)
    assert np.array_equal(after.activity, before.activity)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_system_gets_the_memory_back(field):
    probe = gc.Probe(graph="regular", threads=2)  # its graph takes no memory
    probe(field)
    collector.collect()
    before = resident()
    gc.release()
    assert before - resident() > 12 * N


def test_open_checkpoints_and_tables_are_let_go(tmp_path):
    save_file({"w": np.ones(5, np.float32)}, tmp_path / "model.safetensors")
    checkpoint.open_checkpoint(tmp_path / "model.safetensors")
    series_mean._models(40)
    gc.release()
    assert checkpoint._opened.cache_info().currsize == 0
    assert series_mean._models.cache_info().currsize == 0


def test_releasing_twice_or_without_anything_kept_is_fine():
    gc.release()
    gc.release()


def test_a_c_library_that_cannot_trim_is_no_error(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    gc.release()
