"""Models that two processes train together: DDP, FSDP, FSDP2 and DeepSpeed's ZeRO really run, on CPUs with gloo."""

from pathlib import Path

import pytest
import torch
from ranks import run_ranks
from safetensors.torch import load_file
from sharded_models import STEPS, WAYS, Net, one_process

import gradcascade as gc
from gradcascade.sources.folder import discover

HERE = Path(__file__).parent
EXACT = ("ddp", "fsdp1", "fsdp2", "zero0", "zero1", "zero2")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    root = tmp_path_factory.mktemp("sharded")
    run_ranks(HERE / "sharded_worker.py", root)
    return {**torch.load(root / "found.pt"), "root": root}


@pytest.fixture(scope="module")
def alone():
    return one_process()


@pytest.mark.parametrize("what", ["gradients", "parameters", "states"])
@pytest.mark.parametrize("way", WAYS)
def test_what_is_gathered_is_that_of_one_process(found, alone, way, what):
    own, expected = found[way][what], alone[what]
    assert len(own) == len(expected) >= 1
    for one, other in zip(own, expected, strict=True):
        assert list(one) == list(other)
        for name, tensor in other.items():
            assert one[name].dtype == torch.float32
            tolerance = 0 if way in EXACT else 1e-6
            torch.testing.assert_close(one[name], tensor, rtol=tolerance, atol=tolerance / 100)


@pytest.mark.parametrize("way", WAYS)
def test_the_monitor_measures_the_whole_fields_on_the_first_process(found, way):
    """The numbers are those of the probe on what was gathered apart: gradient, momentum, direction, update."""
    own = found[way]
    probe = gc.Probe()
    for step in range(STEPS):
        fields = {"gradient": own["gradients"][step]}
        if step:
            first = own["states"][0]
            names = list(first)
            assert own["numbers"][step]["gradcascade/direction/n"] == sum(first[name].numel() for name in names)
            fields["momentum"] = first
            before, after = (own["parameters"][k] for k in (step - 1, step))
            fields["update"] = {name: after[name] - before[name] for name in names}
        for kind, field in fields.items():
            cascade = probe(field)
            for number in ("n", "size", "duration", "tau", "v_rel"):
                assert own["numbers"][step][f"gradcascade/{kind}/{number}"] == getattr(cascade, number)
            assert own["numbers"][step][f"gradcascade/{kind}/N2/n"] == cascade.n


@pytest.mark.parametrize("way", WAYS)
def test_directions_are_those_of_one_process(found, alone, way):
    own, expected = found[way]["numbers"][1], gc.Probe()(alone["directions"][0])
    assert own["gradcascade/direction/size"] == expected.size or way not in EXACT
    assert own["gradcascade/direction/tau"] == pytest.approx(expected.tau, rel=0 if way in EXACT else 1e-6)


def test_two_devices_of_lightning_log_the_averaged_gradient_once(found):
    rows = found["lightning"]
    gradients = [(step, row) for step, row in rows if "gradcascade/gradient/n" in row]
    assert [step for step, _ in gradients] == list(range(STEPS))
    assert [step for step, row in rows if "gradcascade/update/n" in row] == [1, 2]
    for step, row in gradients:
        cascade = gc.Probe()(found["ddp"]["gradients"][step])
        for number in ("n", "size", "duration", "tau"):
            assert row[f"gradcascade/gradient/{number}"] == getattr(cascade, number)


def test_nothing_is_said_where_processes_agree(found):
    assert found["said"] == []


def test_processes_that_differ_are_said_and_one_that_is_alone_goes_on(found):
    said, measured = found["different"]
    assert "gradients of 1 of 2 processes are not those of rank 0" in said[0]
    assert "only this process measures" in said[1]
    assert measured


def test_parts_are_refused_where_nothing_gathers_them(found):
    refused = found["refusals"]
    assert "blocks.0.0.weight is sharded over processes (a DTensor" in refused["probe"]
    assert "gc.full_gradients(model)" in refused["probe"]
    assert "use_orig_params=True" in refused["flat"]


@pytest.mark.parametrize("way", WAYS)
def test_the_recorder_writes_what_was_gathered_apart_and_it_measures_as_it_is(found, way):
    run = found["root"] / "runs" / way
    for step in range(STEPS):
        folder = run / "checkpoints" / f"step_{step}"
        gradients = torch.load(folder / "learning_dynamics" / "train_gradients.pt", weights_only=True)
        parameters = load_file(folder / "model.safetensors")
        for written, what in ((gradients, "gradients"), (parameters, "parameters")):
            own = found[way][what][step]
            assert sorted(written) == sorted(own)
            assert all(torch.equal(written[name], own[name]) for name in own)
    snapshots = [own for own in discover(found["root"] / "runs").snapshots() if own.scale == way]
    assert [(own.field, own.step) for own in snapshots] == [("gradient", 0), ("gradient", 1), ("update", 1)]
    for snapshot in snapshots:
        tau = gc.Probe()(snapshot.load()).tau
        assert tau == found[way]["numbers"][snapshot.step][f"gradcascade/{snapshot.field}/tau"]


@pytest.mark.parametrize("way", ["fsdp1", "fsdp2", "zero1", "zero3"])
def test_checkpoints_hold_what_is_not_trained_too(found, way):
    written = load_file(found["root"] / "frozen" / way / "checkpoints" / "step_0" / "model.safetensors")
    expected = dict(Net().named_parameters())
    assert sorted(written) == sorted(expected)
    assert all(torch.equal(written[name], own) for name, own in expected.items())


def test_a_process_that_gathers_alone_is_told_and_does_not_wait_for_ever(found):
    assert len(found["alone"]) == 8
    for sentence in found["alone"]:
        assert "sharded over 2 processes and not all of them came within 0.2 seconds" in sentence
        assert "call this on all ranks" in sentence
