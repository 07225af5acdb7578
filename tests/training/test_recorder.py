import json
import zipfile

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from gradcascade.errors import InputError
from gradcascade.training.recorder import Recorder


class Tied(nn.Module):
    """Somebody's own model: a view as gradient, half precision, one tensor in two places, a buffer, a wrapper."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 4)
        self.blocks = nn.ModuleList([nn.Linear(4, 4, bias=True, dtype=torch.float32) for _ in range(2)])
        self.head = nn.Linear(4, 5, bias=False)
        self.head.weight = self.embedding.weight
        self.register_buffer("mask", torch.ones(3))

    def forward(self, tokens):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Tied()


def test_gradients_are_recorded_as_they_are(model, tmp_path):
    recorder = Recorder(tmp_path / "run", model, ["blocks.*"])
    model(torch.tensor([1, 2])).sum().backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    path = recorder.record_gradients(7)
    assert path == tmp_path / "run" / "checkpoints" / "step_7" / "learning_dynamics" / "train_gradients.pt"
    written = torch.load(path, weights_only=True)
    assert list(written) == [f"_forward_module.blocks.{i}{end}" for i in (0, 1) for end in ("", ".bias")]
    for name in recorder.names:
        torch.testing.assert_close(
            written["_forward_module." + name.removesuffix(".weight")], expected[name], rtol=0, atol=0
        )


def test_the_file_is_a_stored_zip_that_begins_with_its_stem_like_picos(model, tmp_path):
    model(torch.tensor([1])).sum().backward()
    with zipfile.ZipFile(Recorder(tmp_path, model, ["blocks.0"]).record_gradients(0)) as archive:
        assert "train_gradients/data.pkl" in archive.namelist()
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_gradients_become_contiguous_float32_of_their_own_size(tmp_path):
    model = nn.Linear(4, 3, bias=False, dtype=torch.bfloat16)
    large = torch.randn(1000, 3).bfloat16()
    model.weight.grad = large[:4].T
    path = Recorder(tmp_path, model, ["weight"]).record_gradients(0)
    written = torch.load(path, weights_only=True)["_forward_module.weight"]
    assert (written.dtype, written.is_contiguous()) == (torch.float32, True)
    assert path.stat().st_size < 3000
    torch.testing.assert_close(written, large[:4].T.float(), rtol=0, atol=0)


def test_recording_changes_neither_parameters_nor_gradients(model, tmp_path):
    model(torch.tensor([1])).sum().backward()
    before = [(p.detach().clone(), p.grad.clone()) for p in model.parameters()]
    recorder = Recorder(tmp_path, model, ["blocks.*"])
    recorder.record_gradients(0)
    recorder.record_checkpoint(0)
    for (value, gradient), parameter in zip(before, model.parameters(), strict=True):
        assert torch.equal(value, parameter)
        assert torch.equal(gradient, parameter.grad)


def test_a_checkpoint_holds_every_parameter_once_and_no_buffer(model, tmp_path):
    written = load_file(Recorder(tmp_path, model, ["blocks.*"]).record_checkpoint(3))
    assert sorted(written) == sorted(name for name, _ in model.named_parameters())
    for name, parameter in model.named_parameters():
        assert torch.equal(written[name], parameter)


def test_an_evaluation_is_a_json_object(model, tmp_path):
    path = Recorder(tmp_path, model, ["blocks.*"]).record_evaluation(20, {"held_out": 12.5})
    assert path == tmp_path / "eval_results" / "step_20.json"
    assert json.loads(path.read_text()) == {"held_out": 12.5}


def test_a_wrapped_model_keeps_the_endings(model, tmp_path):
    wrapped = nn.Sequential(model)
    assert Recorder(tmp_path, wrapped, ["blocks.1"]).names == ("0.blocks.1.weight",)


def test_a_pattern_without_a_match_names_a_near_one(model, tmp_path):
    with pytest.raises(InputError, match=r"'block\.0'; its names look like 'blocks\.0'"):
        Recorder(tmp_path, model, ["block.0"])


def test_missing_gradients_are_reported(model, tmp_path):
    with pytest.raises(InputError, match=r"blocks\.0\.weight has no gradient at step 4"):
        Recorder(tmp_path, model, ["blocks.0"]).record_gradients(4)


def test_a_folder_that_cannot_be_made_is_reported(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        Recorder(tmp_path / "file" / "run", model, ["blocks.0"])
