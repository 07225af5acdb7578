"""What is found of single tensors: copies at every step, zeros in all gradients, steps and files of every trainer."""

import numpy as np
import pytest
from imitation_family import gradient, gradient_path, training
from sample_runs import save_pt, save_safetensors

from gradcascade.errors import InputError
from gradcascade.sources.audit import audit_family
from gradcascade.sources.audit.measurements import scan
from gradcascade.sources.contents import describe_fields, refuse_differing
from gradcascade.sources.folder import discover
from gradcascade.sources.tensors import open_tensors

STEPS = (0, 100, 200, 300, 400)


def found(folder, code):
    return [finding for finding in audit_family(folder).findings if finding.code == code]


def test_a_tensor_stored_twice_at_every_step_is_noted(tmp_path):
    for step, tensors in training(3, 8, STEPS).items():
        twice = tensors | {"layers.0.extra": tensors["layers.0.mlp.weight"]}
        save_safetensors(twice, tmp_path / f"step{step}" / "model.safetensors")
    (finding,) = found(tmp_path, "twins")
    assert (finding.severity, finding.steps) == ("note", (0, 400))
    assert finding.evidence.data() == {"tensors": ["layers.0.mlp.weight"], "entries": 2048}


def test_gradients_that_are_always_zero_are_noted(tmp_path):
    rng, name = np.random.default_rng(0), "_forward_module.layers.0.attention.v_proj"
    for step in STEPS:
        tensors = gradient(rng, 8, step)
        save_pt(tensors | {name: tensors[name] * 0}, gradient_path(tmp_path, 8, step))
    (finding,) = found(tmp_path, "frozen")
    assert finding.severity == "note" and name.endswith(finding.evidence.data()["tensors"][0])
    assert "is always zero" in finding.sentence


def test_a_whole_run_that_was_rounded_before_it_was_stored_is_noted(tmp_path):
    for step, tensors in training(3, 8, STEPS).items():
        rounded = {name: value.astype(np.float16).astype(np.float32) for name, value in tensors.items()}
        save_safetensors(rounded, tmp_path / f"step{step}" / "model.safetensors")
    (finding,) = found(tmp_path, "rounded")
    assert finding.severity == "note" and finding.evidence.data() == {"bits": 10, "usual_bits": 23}


@pytest.mark.parametrize(("dtype", "bits"), [("float16", 10), ("float32", 23), ("float64", 52)])
def test_bits_of_the_fraction(tmp_path, dtype, bits):
    values = np.random.default_rng(0).normal(size=3000).astype(dtype)
    save_safetensors({"w": values}, tmp_path / "model.safetensors")
    assert scan(open_tensors(tmp_path / "model.safetensors")).bits == bits


@pytest.mark.parametrize("name", ["ckpt_{:06}.pt", "epoch=0-step={}.ckpt", "step-{}/lit_model.pth"])
def test_files_and_steps_of_other_trainers_are_listed(tmp_path, name):
    torch = pytest.importorskip("torch")
    for step, tensors in training(3, 8, STEPS).items():
        path = tmp_path / name.format(step)
        path.parent.mkdir(exist_ok=True)
        model = {key: torch.tensor(value) for key, value in tensors.items()}
        torch.save({"model": model, "iter_num": step if step != 300 else 200}, path)
    (label,) = found(tmp_path, "label")
    assert (label.steps, label.evidence.data()["stated_step"]) == ((300,), 200)
    source, copy = tmp_path / name.format(100), tmp_path / name.format(200)
    copy.write_bytes(source.read_bytes())
    (identical,) = found(tmp_path, "identical-files")
    assert identical.steps == (100, 200)


def without(tensors):
    return {name: value for name, value in tensors.items() if name != "layers.0.mlp.weight"}


def halved(tensors):
    return tensors | {"layers.0.mlp.weight": tensors["layers.0.mlp.weight"][:5]}


@pytest.mark.parametrize(
    ("change", "words"),
    [(without, "has no layers.0.mlp.weight"), (halved, r"has layers.\d.mlp.weight of shape")],
)
def test_a_layer_unlike_the_others_at_every_step_is_refused(tmp_path, change, words):
    for width in (8, 12):
        for step, tensors in training(3, width, STEPS[:2]).items():
            own = change(tensors) if width == 8 else tensors
            save_safetensors(own, tmp_path / f"w{width}" / f"step{step}" / "model.safetensors")
    described = describe_fields(discover(tmp_path).snapshots())
    with pytest.raises(InputError, match=words):
        refuse_differing(described)


def test_layers_that_differ_at_every_scale_are_taken(tmp_path):
    for width in (8, 12):
        for step, tensors in training(3, width, STEPS[:2]).items():
            save_safetensors(without(tensors), tmp_path / f"w{width}" / f"step{step}" / "model.safetensors")
    refuse_differing(describe_fields(discover(tmp_path).snapshots()))
