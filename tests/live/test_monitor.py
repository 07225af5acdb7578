import gc as garbage
import threading
import tracemalloc
import weakref

import numpy as np
import pytest
import torch
from small_models import NAMES, adam, at, flat, gradient, loss_of, named, same, small, train
from torch import nn

import gradcascade as gc
from gradcascade.errors import InputError
from gradcascade.fields.kinds import FIELD_KINDS, Optimizer
from gradcascade.sources.folder import discover
from gradcascade.study.plan import FamilyPlan

KINDS = ("gradient", "momentum", "direction", "update")


def test_the_numbers_of_a_gradient_are_those_of_the_probe():
    found = train(model := small(), monitor := gc.Monitor(model, every=2, strict=True), 4)
    assert [(one.step, one.moment, one.loss_scale) for one in found] == [(n, "after backward", 1.0) for n in (0, 2)]
    assert (monitor.names, monitor.measured, monitor.last) == (NAMES, 2, found[1])
    cascade = gc.Probe()(gradient(small(), 0))
    assert same(found[0]["gradient"], cascade)
    for name in ("n", "size", "duration", "v_abs", "v_rel", "tau", "max_over_tau", "zero_share"):
        assert found[0].scalars()[f"gradcascade/gradient/{name}"] == getattr(cascade, name)
    assert found[0].scalars()["gradcascade/seconds"] == found[0].waited > 0


def test_every_kind_of_field_is_that_of_the_optimizer_and_the_parameters():
    model = small()
    optimizer = adam(model)
    states = []
    monitor = gc.Monitor(model, optimizer, every=2, fields=KINDS, strict=True)
    results = []
    for step in range(5):
        optimizer.zero_grad()
        loss_of(model, step).backward()
        groups = (
            {
                key: {n: optimizer.state[p][key].clone() for n, p in zip(NAMES, named(model), strict=True)}
                for key in ("exp_avg", "exp_avg_sq", "step")
            }
            if step
            else {}
        )
        states.append((flat(p.grad for p in named(model)), groups, flat(named(model))))
        results.append(monitor.after_backward(step))
        optimizer.step()
    assert sorted(results[0].fields) == ["gradient"]  # the optimizer has no state yet
    assert [one and sorted(one.fields) for one in results[1:]] == [None, sorted(KINDS), None, sorted(KINDS)]
    probe = gc.Probe()
    for step in (2, 4):
        field, groups, parameters = states[step]
        assert same(results[step]["gradient"], probe(field))
        assert same(results[step]["momentum"], probe(FIELD_KINDS["momentum"].values(groups)))
        assert same(results[step]["direction"], probe(FIELD_KINDS["direction"].values(groups, Optimizer())))
        assert same(results[step]["update"], probe(parameters - states[step - 1][2]))
        assert results[step]["update"].span == 1


@pytest.mark.parametrize("span", [1, 2, 3])
def test_an_update_ends_at_the_step_that_labels_it(span):
    model = small()
    parameters = []
    optimizer = adam(model)
    monitor = gc.Monitor(model, every=3, span=span, fields="update", strict=True)
    found = {}
    for step in range(7):
        parameters.append(flat(named(model)))
        optimizer.zero_grad()
        loss_of(model, step).backward()
        assert monitor.after_backward(step) is None  # after_step was quicker
        optimizer.step()
        if one := monitor.after_step(step):
            assert one.moment == "after step"
            found[one.step] = one["update"]
    assert sorted(found) == [3, 6]
    for step, own in found.items():
        assert own.span == span
        assert same(own, gc.Probe()(parameters[step] - parameters[step - span]))


def test_nulls_are_those_of_the_step():
    settings = gc.Probe(graph="ring", alpha=0.2)
    monitor = gc.Monitor(model := small(), every=3, nulls=("N0", "N2"), replicates=2, probe=settings, strict=True)
    found = train(model, monitor, 4)[1]
    twin = small()
    train(twin, gc.Monitor(twin), 3)
    field = gradient(twin, 3)
    assert same(found["gradient"], settings(field))
    for name in ("N0", "N2"):
        for replicate, own in enumerate(found["gradient"].nulls[name]):
            assert same(own, settings(gc.null(name, field, 42 + 3, replicate=replicate)))
        rates = [own.v_rel for own in found["gradient"].nulls[name]]
        assert found.scalars()[f"gradcascade/gradient/{name}/v_rel"] == pytest.approx(sum(rates) / 2)


@pytest.mark.parametrize(
    ("dtype", "scale", "span"),
    [(torch.float32, 1.0, 1), (torch.float32, 3.0, 5), (torch.bfloat16, 1024.0, 5), (torch.float64, 1.0, 2)],
)
def test_live_numbers_are_those_of_the_recorded_files(dtype, scale, span, tmp_path):
    model = small().to(dtype)
    run = tmp_path / "runs" / "d40"
    nulls = ("N2", "in-tensor")
    monitor = gc.Monitor(
        model,
        every=5,
        span=span,
        fields=("gradient", "update"),
        nulls=nulls,
        study=tmp_path / "live",
        record=run,
        strict=True,
    )
    optimizer = adam(model)
    for step in range(11):
        optimizer.zero_grad()
        (loss_of(model, step, dtype) * scale).backward()
        monitor.after_backward(step, loss_scale=scale)
        optimizer.step()
    monitor.close()
    source = discover(run, order="canonical")
    assert {(one.field, one.step, one.span) for one in source.snapshots()} >= {
        ("gradient", 10, None),
        ("update", 10, span),
    }
    plan = gc.Plan.model_validate({"nulls": {"kinds": nulls}, "families": [{"name": "live", "path": "../runs"}]})
    with gc.Study.create(tmp_path / "files", plan) as files, gc.Study.open(tmp_path / "live") as live:
        assert not gc.run(files).refused
        origin = ["source", "revision", "seconds"]
        ours = live.cascades().drop(origin)
        theirs = files.cascades().drop(origin).filter(files.cascades()["step"].is_in([0, 5, 10]))
        assert ours.height == (3 + 2) * 3
        assert ours.drop("family", "scale").equals(theirs.drop("family", "scale"))
        assert ours["scale"].unique().to_list() == ["d40"]


def test_in_the_background_the_results_are_the_same_and_come_in_order():
    delivered = []
    model, twin = small(), small()
    monitor = gc.Monitor(
        model,
        optimizer := adam(model),
        every=2,
        fields=KINDS,
        nulls=("N2",),
        background=True,
        strict=True,
        on_measurement=lambda one: delivered.append((one, threading.current_thread())),
    )
    train(model, monitor, 9, optimizer)
    monitor.close()
    other = adam(twin)
    at_once = train(twin, gc.Monitor(twin, other, every=2, fields=KINDS, nulls=("N2",), strict=True), 9, other)
    assert [(one.step, one.moment) for one, _ in delivered] == [(one.step, one.moment) for one in at_once]
    assert {thread for _, thread in delivered} == {threading.current_thread()}
    for (one, _), two in zip(delivered, at_once, strict=True):
        for kind, own in two.fields.items():
            assert same(one[kind], own)
            assert same(one[kind].nulls["N2"][0], own.nulls["N2"][0])
    for left, right in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(left, right)


def test_what_is_finished_in_the_background_is_given_by_a_later_call():
    model = small()
    with gc.Monitor(model, every=4, background=True, strict=True) as monitor:
        loss_of(model, 0).backward()
        assert not monitor.due(1)
        first = monitor.after_backward(0)
        monitor.flush()
        assert monitor.measured == 1
        assert monitor.last and (first is None or first is monitor.last)
        loss_of(model, 4).backward()
        monitor.after_backward(4)
        assert monitor._worker._result
        monitor._worker._result[0].result()  # now it is finished
        found = monitor.after_backward(5)
        assert found and found.step == 4
    assert "gradcascade" not in {thread.name.partition("_")[0] for thread in threading.enumerate()}


def test_measuring_changes_nothing_that_is_trained():
    plain, watched = small(), small()
    train(watched, gc.Monitor(watched, every=1, fields=("gradient", "update"), strict=True), 4)
    optimizer = adam(plain)
    for step in range(4):
        optimizer.zero_grad()
        loss_of(plain, step).backward()
        optimizer.step()
    for left, right in zip(plain.parameters(), watched.parameters(), strict=True):
        assert torch.equal(left, right)


def hooks_of(model):
    own = [parameter._backward_hooks for parameter in model.parameters()]
    return [len(vars(one)[name]) for one in model.modules() for name in vars(one) if name.endswith("hooks")], own


def test_nothing_is_left_behind():
    model = small()
    optimizer = adam(model)
    before = hooks_of(model)
    monitor = gc.Monitor(model, optimizer, every=1, fields=KINDS, strict=True)
    train(model, monitor, 3, optimizer)
    with monitor.within_backward(3):
        loss_of(model, 3).backward()
    monitor.close()
    after = hooks_of(model)
    assert after[0] == before[0] and not any(after[1])
    seen = weakref.ref(model)
    garbage.collect()
    garbage.disable()
    try:
        del model, optimizer, monitor
        assert seen() is None  # without the garbage collector
    finally:
        garbage.enable()


def test_a_field_is_copied_once():
    model = nn.Linear(1000, 1000, bias=False)
    model.weight.grad = torch.randn(1000, 1000)
    monitor = gc.Monitor(model, every=1, strict=True)
    field = model.weight.grad.numpy().reshape(-1)

    def peak(work):
        work()  # makes what is kept for the next
        tracemalloc.start()
        work()
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    alone = peak(lambda: gc.Probe()(field))
    assert peak(lambda: monitor.after_backward(0)) < alone + 1.1 * field.nbytes


def test_global_norm_clipping_moves_tau_and_neither_size_nor_duration():
    moved = 0
    for seed in range(4):
        model = small(seed)
        loss_of(model, seed).backward()
        monitor = gc.Monitor(model, every=1, strict=True)
        before = at(monitor, 0)["gradient"]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.01)
        after = at(monitor, 0, moment="after clipping")
        assert after.moment == "after clipping"
        assert (before.size, before.duration) == (after["gradient"].size, after["gradient"].duration)
        moved += after["gradient"].tau < 0.5 * before.tau
    assert moved == 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fields": ("gradients",)}, "'gradients' is unknown; did you mean 'gradient'"),
        ({"fields": ("mean-gradient",)}, "need several batches"),
        ({"nulls": ("N9",)}, "N9"),
        ({"every": 0}, "every must be at least 1"),
        ({"every": 5, "span": 6}, "span from 1 to every"),
        ({"patterns": ["nothing"]}, "no parameter of the model"),
        ({"order": "none"}, "no tensor order 'none'"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(options, words):
    with pytest.raises(InputError, match=words):
        gc.Monitor(small(), **options)


def test_numbers_of_every_dtype_are_plain_floats():
    model = small()
    loss_of(model, 0).backward()
    scalars = at(gc.Monitor(model, every=1, nulls=("N0",))).scalars("probe")
    assert {type(value) for value in scalars.values()} == {float}
    assert {name.partition("/")[0] for name in scalars} == {"probe"}
    assert all(np.isfinite(value) for value in scalars.values())


def test_a_plan_of_a_family_that_was_only_measured_reads_nothing(tmp_path):
    gc.Monitor(small(), study=tmp_path / "study").close()
    with gc.Study.open(tmp_path / "study") as study:
        [family] = study.plan.families
    assert (family.name, family.path, family.fields) == ("live", ".", ("gradient",))
    assert isinstance(family, FamilyPlan)
