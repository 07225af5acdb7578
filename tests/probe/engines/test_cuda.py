"""The CUDA engine: through Triton's interpreter everywhere, on a GPU where there is one.

Triton decides once, when it is imported, whether it interprets, so those tests run in a process of their own.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from twins import FIELDS, make_field, relax_on_cpu
from typer.testing import CliRunner

import gradcascade as gc
from gradcascade.cli.main import app
from gradcascade.probe import engines
from gradcascade.probe.engines.cuda import device

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="Triton exists for Linux only")
on_hardware = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
without_hardware = pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA device")


@needs_triton
def test_the_interpreted_kernels_give_the_bits_of_the_other_engines():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", Path(__file__).parent / "interpreted_cuda.py"],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_triton
@without_hardware
def test_a_machine_without_a_gpu_is_told_which_engine_to_use(tmp_path):
    with pytest.raises(gc.InputError, match="no CUDA device on this machine; use --engine cpu"):
        gc.Probe(engine="cuda")
    np.save(tmp_path / "field.npy", np.ones(10))
    done = CliRunner().invoke(app, ["probe", str(tmp_path / "field.npy"), "--engine", "cuda"])
    assert isinstance(done.exception, gc.InputError)  # of which main makes exit code 2


@pytest.mark.parametrize(
    ("absent", "words"),
    [
        ({"triton"}, "needs Triton, not installed here; install gradcascade"),
        ({"torch", "triton"}, "needs PyTorch and Triton, not installed here; install gradcascade"),
    ],
)
def test_what_is_not_installed_is_named(monkeypatch, absent, words):
    monkeypatch.setattr(device, "find_spec", lambda name: None if name in absent else object())
    with pytest.raises(gc.InputError, match=words):
        gc.Probe(engine="cuda")
    assert engines.resolve("auto", SimpleNamespace(is_cuda=True)) == "cpu"


def test_auto_is_cuda_for_fields_on_a_gpu_alone(monkeypatch):
    monkeypatch.setattr(device, "find_spec", lambda name: object())
    assert engines.resolve("auto", SimpleNamespace(is_cuda=True)) == "cuda"
    for values in (np.ones(5), torch.ones(5), [1.0, 2.0, 3.0]):
        assert engines.resolve("auto", values) == "cpu"
    assert engines.resolve("cpu", SimpleNamespace(is_cuda=True)) == "cpu"


def test_the_command_line_does_not_import_torch_for_the_engine():
    code = "import sys, gradcascade as gc; gc.Probe()([1.0, 2.0, -3.0, 4.0]); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@on_hardware
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("kind", FIELDS)
def test_on_a_gpu_the_bits_are_those_of_the_cpu(kind, dtype):
    tensor = torch.from_numpy(make_field(kind, 300_007, 3, np.float64)).to(dtype)
    if not torch.isfinite(tensor).all():
        pytest.skip("the field does not fit this type")
    expected, found = gc.Probe(engine="cpu")(tensor), gc.Probe()(tensor.cuda())
    assert gc.Probe().engine_for(tensor.cuda()).name == "cuda"
    assert (found.tau, found.activity.tolist()) == (expected.tau, expected.activity.tolist())


@on_hardware
def test_on_a_gpu_the_relaxed_units_are_those_of_the_cpu():
    from gradcascade.probe import threshold
    from gradcascade.probe.engines.cuda import arrays, counting, relaxing
    from gradcascade.probe.fixedpoint import choose_scale, to_units

    field = make_field("spikes", 300_007, 3)
    graph = gc.Probe().graph_for(len(field))
    magnitudes = threshold.survey(field)
    scale = choose_scale(threshold.quantile(field, 0.9, magnitudes), magnitudes)
    expected = to_units(field, scale)
    units = counting.to_units(torch.from_numpy(field).cuda(), scale)
    steps = relaxing.relax(units, *arrays.resident(graph, units.device), scale.threshold, 0.3, 40)
    assert steps.tolist() == relax_on_cpu(expected, graph, scale.threshold, 0.3, 40).tolist()
    assert np.array_equal(units.cpu().numpy(), expected)
