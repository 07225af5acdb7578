"""What a monitor does in loops that are not plain; each has a row in docs/live.md."""

import logging
from typing import Any

import pytest
import torch
from small_models import NAMES, adam, at, flat, gradient, loss_of, named, same, small, train
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

import gradcascade as gc
from gradcascade.errors import InputError
from gradcascade.live import measuring
from gradcascade.sources.folder import discover


@pytest.fixture
def said(caplog):
    """What was logged by gradcascade."""
    caplog.set_level(logging.WARNING, "gradcascade")
    return lambda: [record.getMessage() for record in caplog.records]


def measured(model, **options):
    """The gradient at hand."""
    return at(gc.Monitor(model, every=1, strict=True, **options))["gradient"]


class Overflowing(torch.amp.GradScaler):
    """A GradScaler of the CPU whose optimizer steps are skipped when a gradient is infinite."""

    def __init__(self, scale):
        super().__init__("cpu", init_scale=scale, growth_interval=10**6)


def test_a_gradient_that_is_none_enters_as_zeros_and_that_is_said_once(said):
    model = small()
    monitor = gc.Monitor(model, every=1, strict=True)
    for step in (0, 1):
        model.zero_grad(set_to_none=True)
        model[0](torch.randn(4, 30)).square().sum().backward()
        own = at(monitor, step)["gradient"]
        assert own.n == 2060
        assert own.zero_share >= 820 / 2060  # the second layer
        assert same(
            own, gc.Probe()(torch.cat([model[0].weight.grad.reshape(-1), model[0].bias.grad, torch.zeros(820)]))
        )
    assert said() == ["gradcascade: 2.weight and 1 more parameters had no gradient at step 0 and entered as zeros"]


def test_without_any_gradient_nothing_is_measured_and_the_way_out_is_said(said):
    model = small()
    monitor = gc.Monitor(model, every=1)
    assert monitor.after_backward(0) is None
    assert monitor.errors.total() == 1
    assert "no parameter has a gradient at step 0; call after_backward after backward()" in said()[0]
    assert "use within_backward" in said()[0]


def test_frozen_parameters_are_left_out_and_lora_leaves_its_own(said):
    peft = pytest.importorskip("peft")
    model = peft.get_peft_model(
        nn.Sequential(nn.Linear(30, 40), nn.ReLU(), nn.Linear(40, 20)),
        peft.LoraConfig(target_modules=["0", "2"], r=4),
    )
    monitor = gc.Monitor(model, every=1, strict=True)
    assert monitor.n == 4 * (30 + 40 + 40 + 20)
    assert all("lora_" in name for name in monitor.names)
    loss_of(model, 0).backward()
    assert all(parameter.grad is None for name, parameter in model.named_parameters() if "lora_" not in name)
    own = dict(model.named_parameters())
    assert same(at(monitor, 0)["gradient"], gc.Probe()(flat(own[name].grad for name in monitor.names)))
    assert said() == []


def test_sparse_gradients_are_measured_dense():
    twins = [nn.Embedding(50, 20, sparse=sparse) for sparse in (False, True)]
    twins[1].load_state_dict(twins[0].state_dict())
    for one in twins:
        one(torch.tensor([3, 3, 7])).square().sum().backward()
    assert twins[1].weight.grad is not None and twins[1].weight.grad.is_sparse
    assert same(measured(twins[1]), measured(twins[0]))


@pytest.mark.parametrize("unscaled", [False, True])
def test_the_scale_of_the_loss_is_undone_before_and_after_unscaling(unscaled):
    model = small()
    optimizer, scaler = adam(model), Overflowing(65536.0)
    monitor = gc.Monitor(model, optimizer, every=1, scaler=scaler, strict=True)
    for step in (0, 1):
        expected = gradient(model, step)
        optimizer.zero_grad()
        scaler.scale(loss_of(model, step)).backward()
        if unscaled:
            scaler.unscale_(optimizer)
        found = at(monitor, step)
        scaler.step(optimizer)
        scaler.update()
        assert found.moment == ("after unscaling" if unscaled else "after backward")
        assert found.loss_scale == (1.0 if unscaled else 65536.0)
        assert same(found["gradient"], gc.Probe()(expected))


def test_steps_that_overflow_are_skipped_and_counted(said, tmp_path):
    model = small()
    optimizer, scaler = adam(model), Overflowing(65536.0)
    kinds = ("gradient", "momentum")
    with gc.Monitor(
        model, optimizer, every=1, fields=kinds, scaler=scaler, strict=True, study=tmp_path / "s"
    ) as monitor:
        for step in range(4):
            optimizer.zero_grad()
            scaler.scale(loss_of(model, step) * (1e38 if step in (1, 2) else 1.0)).backward()
            found = monitor.after_backward(step)
            assert ("gradient" in found.fields if found else False) is (step in (0, 3))
            assert ("momentum" in found.fields if found else False) is (step > 0)
            scaler.step(optimizer)
            scaler.update()
        assert monitor.skipped == {"gradient": 2}
        assert (monitor.measured, monitor.errors.total()) == (4, 0)
    assert len(said()) == 1 and "the gradient of step 1 is left out" in said()[0] and "infinite" in said()[0]
    with gc.Study.open(tmp_path / "s") as study:
        assert study.refusals()["step"].to_list() == [1, 2]
        assert study.cascades().filter(field="gradient")["step"].unique().sort().to_list() == [0, 3]


def test_nan_is_skipped_and_counted():
    model = small()
    loss_of(model, 0).backward()
    model[0].weight.grad[3, 4] = torch.nan
    monitor = gc.Monitor(model, every=1, strict=True)
    assert monitor.after_backward(0) is None
    assert monitor.skipped == {"gradient": 1}


def test_accumulated_gradients_are_measured_when_they_are_complete():
    model = small()
    monitor = gc.Monitor(model, every=1, strict=True)
    for part in range(3):
        (loss_of(model, part) / 3).backward()
    own = at(monitor, 0)["gradient"]
    twin = small()
    torch.stack([loss_of(twin, part) / 3 for part in range(3)]).sum().backward()
    complete = gc.Probe()(flat(p.grad for p in named(twin)))
    assert own.tau == pytest.approx(complete.tau, rel=1e-5)
    assert (own.size, own.duration) == (complete.size, complete.duration)


def test_a_step_that_is_measured_again_counts_as_the_last_was(said, tmp_path):
    model = small()
    with gc.Monitor(model, every=1, strict=True, study=tmp_path / "s") as monitor:
        loss_of(model, 0).backward()
        monitor.after_backward(0)  # too early: in every part of an accumulation
        loss_of(model, 1).backward()
        last = at(monitor, 0)["gradient"]
    assert said() == [
        "gradcascade: step 0 was measured before; with gradients accumulated over batches, call after_backward after "
        "the last of them (the last measurement counts)"
    ]
    with gc.Study.open(tmp_path / "s") as study:
        assert study.cascades()["tau"].to_list() == [last.tau]


def test_wrappers_change_neither_names_nor_order():
    wrap: Any = torch.compile
    plain = small()
    expected = gradient(plain, 0)
    plain[0] = checkpoint_wrapper(plain[0])
    model = wrap(nn.Sequential(wrap(plain, backend="eager")), backend="eager")
    loss_of(model, 0).backward()
    monitor = gc.Monitor(model, every=1, strict=True)
    assert monitor.names == tuple(f"0.{name}" for name in NAMES)
    assert same(at(monitor, 0)["gradient"], gc.Probe()(expected))


def test_tied_weights_count_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(50, 20)
            self.head = nn.Linear(20, 50, bias=False)
            self.head.weight = self.embedding.weight

        def forward(self, tokens):
            return self.head(self.embedding(tokens))

    model = Tied()
    model(torch.arange(9)).square().mean().backward()
    monitor = gc.Monitor(model, every=1, strict=True)
    assert (monitor.names, monitor.n) == (("embedding.weight",), 1000)
    assert same(at(monitor, 0)["gradient"], gc.Probe()(model.embedding.weight.grad))


def test_an_optimizer_that_steps_within_backward_is_measured_through_hooks(said, tmp_path):
    model = small()
    optimizers = {parameter: torch.optim.AdamW([parameter], lr=1e-2) for parameter in model.parameters()}

    def step_now(parameter):
        optimizers[parameter].step()
        optimizers[parameter].zero_grad(set_to_none=True)

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(step_now)
    kinds = ("gradient", "momentum", "update")
    monitor = gc.Monitor(model, list(optimizers.values()), every=2, fields=kinds, record=tmp_path / "run")
    results, expected = {}, {}
    for step in range(5):
        expected[step] = gradient(model, step), flat(named(model))
        with monitor.within_backward(step):
            loss_of(model, step).backward()
        results[step] = monitor.last
    assert (results[4].step, results[4].moment, sorted(results[4].fields)) == (4, "within backward", sorted(kinds))
    assert (monitor.errors.total(), said()) == (0, [])
    for step in (0, 2, 4):
        assert same(results[step]["gradient"], gc.Probe()(expected[step][0]))
    assert same(results[4]["update"], gc.Probe()(expected[4][1] - expected[3][1]))
    recorded = {(own.field, own.step): own.load() for own in discover(tmp_path).snapshots()}
    assert {key for key in recorded if key[0] == "gradient"} == {("gradient", step) for step in (0, 2, 4)}
    assert same(results[4]["update"], gc.Probe()(recorded["update", 4]))
    assert same(results[4]["gradient"], gc.Probe()(recorded["gradient", 4]))
    monitor.after_backward(6)  # the wrong call for it
    assert monitor.errors.total() == 1 and "within_backward" in said()[0]


def test_what_is_raised_within_backward_goes_through_and_no_hook_stays():
    model = small()
    monitor = gc.Monitor(model, every=1, strict=True)
    with pytest.raises(KeyError), monitor.within_backward(0):
        raise KeyError("the user's own")
    assert all(not parameter._backward_hooks for parameter in model.parameters())
    assert monitor.measured == 0


@pytest.mark.parametrize("to_none", [True, False])
def test_zero_grad_in_either_way_gives_the_same(to_none):
    model = small()
    monitor = gc.Monitor(model, every=1, strict=True)
    for step in range(2):
        model.zero_grad(set_to_none=to_none)
        loss_of(model, step).backward()
        assert same(at(monitor, step)["gradient"], gc.Probe()(gradient(model, step)))


def test_gradients_that_are_zero_or_old_are_said(said):
    model = small()
    monitor = gc.Monitor(model, every=1, strict=True)
    loss_of(model, 0).backward()
    monitor.after_backward(0)
    monitor.after_backward(1)
    model.zero_grad(set_to_none=False)
    monitor.after_backward(2)
    assert [words.removeprefix("gradcascade: ") for words in said()] == [
        "the gradient of step 1 is the last one again",
        "the gradient of step 2 is zero everywhere",
    ]


def test_parameters_that_come_to_be_trained_stay_out_and_that_is_said(said):
    model = small()
    model[0].requires_grad_(False)
    monitor = gc.Monitor(model, every=1, strict=True)
    loss_of(model, 0).backward()
    assert at(monitor, 0)["gradient"].n == 820
    model[0].requires_grad_(True)
    loss_of(model, 1).backward()
    assert at(monitor, 1)["gradient"].n == 820
    model[0].requires_grad_(True)
    model.append(nn.Linear(20, 2))
    loss_of(model, 2).backward()
    assert at(monitor, 2)["gradient"].n == 820
    assert len([words for words in said() if "are trained since and stay out of the fields" in words]) == 2


def test_parameters_that_are_frozen_later_enter_as_zeros_not_as_their_last_gradient(said):
    model = small()
    monitor = gc.Monitor(model, every=1, strict=True)
    loss_of(model, 0).backward()
    monitor.after_backward(0)
    model[2].requires_grad_(False)
    model[0].zero_grad()
    loss_of(model, 1).backward()
    assert model[2].weight.grad is not None
    own = at(monitor, 1)["gradient"]
    first = torch.cat([model[0].weight.grad.reshape(-1), model[0].bias.grad, torch.zeros(820)])
    assert same(own, gc.Probe()(first))
    assert "2.weight and 1 more parameters had no gradient at step 1" in said()[0]


def test_parameters_of_another_shape_are_refused(said):
    model = small()
    monitor = gc.Monitor(model, every=1)
    model[2] = nn.Linear(40, 21)
    loss_of(model, 0).backward()
    assert monitor.after_backward(0) is None
    assert "2.weight has the shape (21, 40) now and had (20, 40), so its fields have another N" in said()[0]
    model[2] = nn.Identity()
    monitor.after_backward(1)
    assert "the model no longer has 2.weight" in said()[1]
    assert monitor.errors.total() == 2


def test_parameters_that_are_replaced_in_the_same_shape_are_measured():
    model = small()
    monitor = gc.Monitor(model, every=1, strict=True)
    model[2] = nn.Linear(40, 20)
    loss_of(model, 0).backward()
    assert same(at(monitor, 0)["gradient"], gc.Probe()(flat(p.grad for p in named(model))))


def _raising(*_, **__):
    raise RuntimeError("no probe today")


@pytest.mark.parametrize("background", [False, True])
def test_an_error_in_measuring_does_not_end_the_training(background, monkeypatch, said):
    model = small()
    monitor = gc.Monitor(model, every=1, background=background)
    monkeypatch.setattr(measuring, "cascade_of", _raising)
    for step in range(3):
        loss_of(model, step).backward()
        assert monitor.after_backward(step) is None
    monitor.close()
    assert monitor.errors == {"RuntimeError: no probe today": 3}
    assert said() == ["gradcascade: measuring failed, and training goes on: no probe today"]


def test_an_error_in_measuring_is_raised_if_that_is_asked_for(monkeypatch):
    model = small()
    monitor = gc.Monitor(model, every=1, strict=True)
    monkeypatch.setattr(measuring, "cascade_of", _raising)
    loss_of(model, 0).backward()
    with pytest.raises(RuntimeError, match="no probe today"):
        monitor.after_backward(0)


def test_a_logger_that_raises_does_not_end_the_training(said):
    model = small()
    monitor = gc.Monitor(model, every=1, on_measurement=_raising)
    loss_of(model, 0).backward()
    monitor.after_backward(0)
    assert monitor.errors.total() == 1
    assert "no probe today" in said()[0]


def test_one_kind_that_cannot_be_had_does_not_cost_the_others(said):
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    monitor = gc.Monitor(model, optimizer, every=1, fields=("direction", "momentum", "gradient"))
    found = train(model, monitor, 3, optimizer)
    assert [sorted(one.fields) for one in found] == [["gradient"], ["gradient", "momentum"], ["gradient", "momentum"]]
    assert monitor.errors.total() == 2
    assert said() == [
        "gradcascade: measuring failed, and training goes on: directions are made from exp_avg and exp_avg_sq and "
        "step, and this optimizer keeps momentum_buffer; leave direction out of fields"
    ]


def test_two_optimizers_each_give_the_moments_of_their_parameters():
    model = small()
    optimizers = [torch.optim.SGD(model[0].parameters(), 0.1, momentum=0.9), torch.optim.Adam(model[2].parameters())]
    monitor = gc.Monitor(model, optimizers, every=1, fields="momentum", strict=True)
    for step in range(2):
        model.zero_grad()
        loss_of(model, step).backward()
        if step:
            found = at(monitor, step)["momentum"]
            first = [optimizers[0].state[p]["momentum_buffer"] for p in model[0].parameters()]
            second = [optimizers[1].state[p]["exp_avg"] for p in model[2].parameters()]
            assert same(found, gc.Probe()(flat([*first, *second])))
        for one in optimizers:
            one.step()
    assert monitor.measured == 1


def test_moments_without_their_optimizer_are_refused(said):
    model = small()
    other = adam(small())
    for optimizer, words in ((None, "give it: gc.Monitor(model, optimizer)"), (other, "the optimizer holds none of")):
        monitor = gc.Monitor(model, optimizer, every=1, fields="momentum")
        loss_of(model, 0).backward()
        monitor.after_backward(0)
        assert words in said()[-1]


def test_gradients_that_were_not_averaged_over_processes_are_refused():
    class Averaging(nn.Module):
        """What DistributedDataParallel shows of itself."""

        def __init__(self, module):
            super().__init__()
            self.module = module
            self.require_backward_grad_sync = True

        def forward(self, x):
            return self.module(x)

    wrapped = Averaging(small())
    outer = nn.Sequential(wrapped)
    monitor = gc.Monitor(outer, every=1, strict=True)
    wrapped.require_backward_grad_sync = False  # as within no_sync()
    loss_of(outer, 0).backward()
    wrapped.require_backward_grad_sync = True
    with pytest.raises(InputError, match="this process's own"):
        monitor.after_backward(0)
    loss_of(outer, 0).backward()
    monitor.after_backward(0)
    monitor.close()
    assert not wrapped._forward_pre_hooks


@pytest.mark.parametrize(("mark", "words"), [("_fsdp_flattened", "FSDP"), ("tensor_model_parallel", "Megatron")])
def test_a_part_of_a_tensor_is_never_measured(mark, words):
    model = small()
    setattr(model[0].weight, mark, 1)
    with pytest.raises(InputError, match=f"{words}.*holds a part"):
        gc.Monitor(model)


def test_a_closed_monitor_says_so_and_closing_twice_does_nothing(said):
    model = small()
    monitor = gc.Monitor(model, every=1)
    monitor.close()
    monitor.close()
    loss_of(model, 0).backward()
    assert monitor.after_backward(0) is None
    assert "the monitor is closed" in said()[0]


def test_a_loss_scale_that_is_no_factor_is_refused(said):
    model = small()
    monitor = gc.Monitor(model, every=1)
    loss_of(model, 0).backward()
    assert monitor.after_backward(0, loss_scale=0.0) is None
    assert "loss_scale must be a positive number" in said()[0]
