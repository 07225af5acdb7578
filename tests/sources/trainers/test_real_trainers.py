"""What real trainers write is measured as torch has it: N, the order of the tensors, and every value bit for bit."""

import re
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import writers
from ranks import run_ranks
from trained_models import SAVED, WIDTHS, run_of
from typer.testing import CliRunner

import gradcascade as gc
from gradcascade.cli.main import app
from gradcascade.errors import InputError
from gradcascade.sources import discover

HERE = Path(__file__).parent
NEEDS = {
    "transformers_trainer": ("transformers", "accelerate"),
    "lightning": ("lightning",),
    "accelerate": ("accelerate",),
}


def by_name(names):
    """Layers by number, a tensor by its name without ``.weight``."""

    def parts(name):
        return [int(part) if part.isdigit() else part for part in re.split("([0-9]+)", name.removesuffix(".weight"))]

    return sorted(names, key=parts)


def check_updates(root, truth):
    found = discover(root, order="canonical").snapshots()
    assert [(ref.scale, ref.step) for ref in found] == [(f"d{w}", s) for w in WIDTHS for s in SAVED[1:]]
    for ref in found:
        before, after = (truth[int(ref.scale[1:])][step] for step in (ref.step - (ref.span or 0), ref.step))
        names = by_name(after)
        assert [name for name, _ in ref.layout() or ()] == names
        wanted = torch.cat([(after[name] - before[name]).reshape(-1) for name in names])
        np.testing.assert_array_equal(ref.load(), wanted.numpy())


def check_moments(root, moments, betas=(0.9, 0.999), eps=1e-8):
    """Momenta as torch has them; directions as AdamW's formula gives them in double precision."""
    found = discover(root, fields=["momentum", "direction"], order="canonical").snapshots()
    wanted = [(f"d{w}", kind, step) for w in WIDTHS for kind in ("momentum", "direction") for step in SAVED]
    assert [(ref.scale, ref.field, ref.step) for ref in found] == wanted
    for ref in found:
        mean, square = (moments[int(ref.scale[1:])][ref.step][key] for key in ("exp_avg", "exp_avg_sq"))
        names = by_name(mean)
        assert [name for name, _ in ref.layout() or ()] == names
        values = [mean[name].float() for name in names]
        if ref.field == "direction":
            roots = [(square[name].double() / (1 - betas[1] ** ref.step)).sqrt() + eps for name in names]
            means = [mean[name].double() / (1 - betas[0] ** ref.step) for name in names]
            values = [(one / root).float() for one, root in zip(means, roots, strict=True)]
        np.testing.assert_array_equal(ref.load(), torch.cat([value.reshape(-1) for value in values]).numpy())


@pytest.fixture(scope="module", params=["transformers_trainer", "lightning", "accelerate", "ddp"])
def trained(request, tmp_path_factory):
    for library in NEEDS.get(request.param, ()):
        pytest.importorskip(library)
    root = tmp_path_factory.mktemp(request.param)
    write = getattr(writers, request.param)
    return root, {width: writers.quietly(write, root, width) for width in WIDTHS}


def test_updates_are_those_of_training(trained):
    check_updates(*trained)


def test_measure_finds_them_by_itself(trained, tmp_path):
    root, truth = trained
    CliRunner().invoke(
        app, ["measure", str(root), "--out", str(tmp_path / "study"), "--nulls", ""], catch_exceptions=False
    )
    with gc.Study.open(tmp_path / "study") as study:
        rows = study.cascades().sort("n", "step")
    sizes = [sum(value.numel() for value in truth[width][SAVED[-1]].values()) for width in WIDTHS]
    assert rows["n"].to_list() == [n for n in sizes for _ in SAVED[1:]]
    for row in rows.iter_rows(named=True):
        before, after = (truth[int(row["scale"][1:])][step] for step in (row["step"] - row["span"], row["step"]))
        cascade = gc.Probe()(torch.cat([(after[name] - before[name]).reshape(-1) for name in by_name(after)]).numpy())
        assert (row["size"], row["duration"]) == (cascade.size, cascade.duration)


@pytest.fixture(scope="module")
def deepspeed_runs(tmp_path_factory):
    if not sys.platform.startswith("linux"):
        pytest.skip("DeepSpeed is installed on Linux alone")
    pytest.importorskip("deepspeed")
    root = tmp_path_factory.mktemp("deepspeed")
    run_ranks(HERE / "deepspeed_worker.py", root, "2", timeout=120)
    return root


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_deepspeed_of_every_stage(deepspeed_runs, stage):
    truth = torch.load(deepspeed_runs / f"truth{stage}.pt")
    check_updates(deepspeed_runs / f"stage{stage}", truth)
    check_moments(deepspeed_runs / f"stage{stage}", torch.load(deepspeed_runs / f"moments{stage}.pt"))


def test_adapters_are_refused_with_what_to_do(tmp_path):
    peft, transformers = pytest.importorskip("peft"), pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, vocab_size=9
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = peft.get_peft_model(
            transformers.LlamaForCausalLM(config), peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"])
        )
        for step in SAVED:
            model.save_pretrained(run_of(tmp_path, 8) / f"checkpoint-{step}")
    for ref in discover(tmp_path).snapshots():
        with pytest.raises(InputError, match=r"adapter_model\.safetensors holds the adapters alone.*merge_"):
            ref.load()
