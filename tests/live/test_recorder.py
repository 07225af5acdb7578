import json
import warnings
import zipfile

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from gradcascade.errors import InputError
from gradcascade.live.recorder import Recorder
from gradcascade.sources.manifest import read_manifest


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
    assert list(written) == [f"blocks.{i}.{end}" for i in (0, 1) for end in ("weight", "bias")]
    for name in recorder.names:
        torch.testing.assert_close(written[name], expected[name], rtol=0, atol=0)


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
    written = torch.load(path, weights_only=True)["weight"]
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


def test_a_loop_without_any_gradient_is_told(model, tmp_path):
    with pytest.raises(InputError, match=r"no parameter has a gradient at step 4"):
        Recorder(tmp_path, model, ["blocks.0"]).record_gradients(4)


def test_a_folder_that_cannot_be_made_is_reported(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        Recorder(tmp_path / "file" / "run", model, ["blocks.0"])


def test_the_manifest_says_what_the_fields_are_made_of(model, tmp_path):
    recorder = Recorder(tmp_path, model, ["blocks.*"])
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    assert (
        manifest.field == recorder.names == tuple(f"blocks.{i}.{end}" for i in (0, 1) for end in ("weight", "bias"))
    )
    tied = {parameter.name: parameter.tied_to for parameter in manifest.parameters if parameter.tied_to}
    assert tied == {"head.weight": "embedding.weight"}
    assert {parameter.name: parameter.shape for parameter in manifest.parameters}["embedding.weight"] == (5, 4)


def test_without_patterns_all_trainable_parameters_are_recorded_tied_ones_once(model, tmp_path):
    names = Recorder(tmp_path, model).names
    assert names == ("embedding.weight", *(f"blocks.{i}.{end}" for i in (0, 1) for end in ("weight", "bias")))


def test_frozen_parameters_are_left_out_with_one_warning(model, tmp_path):
    model.blocks[1].requires_grad_(False)
    with pytest.warns(UserWarning, match=r"blocks\.1\.weight and 1 more parameters are frozen and left out"):
        recorder = Recorder(tmp_path, model, ["blocks.*"])
    assert recorder.names == ("blocks.0.weight", "blocks.0.bias")
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    assert [p.name for p in manifest.parameters if not p.trainable] == ["blocks.1.weight", "blocks.1.bias"]


def test_a_model_that_trains_nothing_is_refused(model, tmp_path):
    with pytest.raises(InputError, match="trains none of its parameters"):
        Recorder(tmp_path, model.requires_grad_(False))


def test_an_unused_parameter_enters_as_zeros_and_is_said_once(model, tmp_path):
    recorder = Recorder(tmp_path, model)
    model.blocks[0](torch.ones(4)).sum().backward()
    with pytest.warns(UserWarning, match=r"had no gradient at step 0 and entered as zeros") as said:
        path = recorder.record_gradients(0)
        model.blocks[0](torch.ones(4)).sum().backward()
        recorder.record_gradients(1)
    assert [warning.filename for warning in said] == [__file__]
    written = torch.load(path, weights_only=True)
    assert list(written) == list(recorder.names)
    assert not written["blocks.1.weight"].any()
    assert written["blocks.0.weight"].any()


def test_gradients_that_are_zero_or_old_are_said(model, tmp_path):
    recorder = Recorder(tmp_path, model, ["blocks.*"])
    model(torch.tensor([1])).sum().backward()
    recorder.record_gradients(0)
    with pytest.warns(UserWarning, match="gradients of step 1 are the last ones again"):
        recorder.record_gradients(1)
    model.zero_grad(set_to_none=False)
    with pytest.warns(UserWarning, match="every gradient is zero at step 2"):
        recorder.record_gradients(2)


def test_sparse_gradients_are_recorded_dense(tmp_path):
    embedding = nn.Embedding(5, 2, sparse=True)
    recorder = Recorder(tmp_path, embedding)
    embedding(torch.tensor([3, 3])).sum().backward()
    written = torch.load(recorder.record_gradients(0), weights_only=True)
    assert torch.equal(written["weight"], torch.tensor([[0.0, 0.0]] * 3 + [[2.0, 2.0], [0.0, 0.0]]))


def test_the_scale_of_the_loss_is_taken_out(model, tmp_path):
    recorder = Recorder(tmp_path, model, ["blocks.*"])
    (1024 * model(torch.tensor([1])).sum()).backward()
    scaled = torch.load(recorder.record_gradients(0, loss_scale=1024.0), weights_only=True)
    model.zero_grad()
    model(torch.tensor([1])).sum().backward()
    for name, parameter in model.named_parameters():
        if name in scaled:
            torch.testing.assert_close(scaled[name], parameter.grad)


@pytest.mark.parametrize("unscaled", [False, True])
def test_a_grad_scaler_gives_the_scale_before_and_after_unscaling(model, tmp_path, unscaled):
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    model(torch.tensor([1])).sum().backward()
    expected = {name: own.grad.clone() for name, own in model.named_parameters()}
    model.zero_grad()
    scaler.scale(model(torch.tensor([1])).sum()).backward()
    if unscaled:
        scaler.unscale_(optimizer)
    written = torch.load(Recorder(tmp_path, model).record_gradients(0, loss_scale=scaler), weights_only=True)
    for name, gradient in written.items():
        torch.testing.assert_close(gradient, expected[name])


def test_a_scaler_that_is_seen_in_use_is_told_once(model, tmp_path):
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scaler.scale(model(torch.tensor([1])).sum()).backward()
    recorder = Recorder(tmp_path / "a", model)
    with pytest.warns(UserWarning, match=r"GradScaler is in use with the scale 1024.*loss_scale=scaler"):
        recorder.record_gradients(0)
    scaler.unscale_(optimizer)
    for folder, options in (("b", {}), ("c", {"loss_scale": 1.0})):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            Recorder(tmp_path / folder, model).record_gradients(0, **options)


def test_a_loss_scale_that_is_no_factor_is_refused(model, tmp_path):
    model(torch.tensor([1])).sum().backward()
    with pytest.raises(InputError, match="positive number or a GradScaler, got 0"):
        Recorder(tmp_path, model).record_gradients(0, loss_scale=0)


def test_a_scaler_of_two_optimizers_of_which_one_is_unscaled_is_refused(model, tmp_path):
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    first, second = (torch.optim.SGD(block.parameters(), 0.1) for block in model.blocks)
    scaler.scale(model(torch.tensor([1])).sum()).backward()
    scaler.unscale_(first)
    scaler._per_optimizer_states[id(second)]
    with pytest.raises(InputError, match="some of its optimizers and not of others"):
        Recorder(tmp_path, model).record_gradients(0, loss_scale=scaler)


def test_a_layer_that_freezes_later_becomes_zeros_and_that_is_said(model, tmp_path):
    recorder = Recorder(tmp_path, model)
    model(torch.tensor([1])).sum().backward()  # and keeps its gradient
    model.blocks[1].requires_grad_(False)
    with pytest.warns(UserWarning, match=r"blocks\.1\.weight and 1 more parameters are frozen at step 0") as said:
        written = torch.load(recorder.record_gradients(0), weights_only=True)
    assert len(said) == 1
    assert list(written) == list(recorder.names)
    assert not written["blocks.1.weight"].any() and written["blocks.0.weight"].any()


def test_an_optimizer_that_steps_within_backward_is_recorded_through_hooks(model, tmp_path):
    expected = dict(zip(dict(model.named_parameters()), _gradients(model), strict=True))
    own = {parameter: torch.optim.SGD([parameter], 0.1) for parameter in model.parameters()}

    def step(parameter):
        own[parameter].step()
        own[parameter].zero_grad()

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(step)
    recorder = Recorder(tmp_path, model)
    with recorder.within_backward(0, loss_scale=2.0):
        (2 * model(torch.tensor([1])).sum()).backward()
    path = tmp_path / "checkpoints" / "step_0" / "learning_dynamics" / "train_gradients.pt"
    written = torch.load(path, weights_only=True)
    assert list(written) == list(recorder.names)
    for name, gradient in written.items():
        torch.testing.assert_close(gradient, expected[name])
    model(torch.tensor([1])).sum().backward()
    with pytest.raises(InputError, match=r"no parameter has a gradient.*within_backward"):
        recorder.record_gradients(1)


def _gradients(model):
    return torch.autograd.grad(model(torch.tensor([1])).sum(), list(model.parameters()))


def test_parameters_that_are_gone_or_of_another_shape_are_refused(model, tmp_path):
    recorder = Recorder(tmp_path, model)
    model.blocks[0] = nn.Linear(4, 4, bias=False)
    model(torch.tensor([1])).sum().backward()
    with pytest.raises(InputError, match=r"no longer has blocks\.0\.bias"):
        recorder.record_gradients(0)


def test_wrappers_are_taken_off_the_names(tmp_path):
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0] = checkpoint_wrapper(model[0])
    compiled = torch.compile(model, backend="eager")
    assert isinstance(compiled, nn.Module)
    recorder = Recorder(tmp_path, compiled)
    assert recorder.names == ("0.weight", "0.bias", "1.weight", "1.bias")
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    assert manifest.wrappers == ("_checkpoint_wrapped_module", "_orig_mod")


def test_a_run_is_continued_with_the_same_tensors_only(model, tmp_path):
    Recorder(tmp_path, model, ["blocks.*"])
    Recorder(tmp_path, model, ["blocks.*"])
    with pytest.raises(InputError, match="was recorded from other tensors"):
        Recorder(tmp_path, model)


def test_gradients_that_were_not_averaged_over_processes_are_refused(model, tmp_path):
    class Averaging(nn.Module):
        """What DistributedDataParallel shows of itself."""

        def __init__(self, module):
            super().__init__()
            self.module = module
            self.require_backward_grad_sync = True

        def forward(self, tokens):
            return self.module(tokens)

    wrapped = Averaging(model)
    recorder = Recorder(tmp_path, wrapped)
    assert recorder.names[0] == "embedding.weight"
    wrapped.require_backward_grad_sync = False  # as within no_sync()
    wrapped(torch.tensor([1])).sum().backward()
    wrapped.require_backward_grad_sync = True
    with pytest.raises(InputError, match="this process's own"):
        recorder.record_gradients(0)
    wrapped(torch.tensor([1])).sum().backward()
    recorder.record_gradients(0)


@pytest.mark.parametrize(("mark", "words"), [("_fsdp_flattened", "FSDP"), ("tensor_model_parallel", "Megatron")])
def test_a_part_of_a_tensor_is_refused(model, tmp_path, mark, words):
    setattr(model.blocks[0].weight, mark, 1)
    with pytest.raises(InputError, match=f"{words}.*holds a part"):
        Recorder(tmp_path, model)


def test_another_programs_manifest_is_not_overwritten(model, tmp_path):
    (tmp_path / "manifest.json").write_text('{"files": []}')
    with pytest.raises(InputError, match="another program's"):
        Recorder(tmp_path, model)
    assert (tmp_path / "manifest.json").read_text() == '{"files": []}'
