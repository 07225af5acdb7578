"""ZeRO checkpoints, laid out as DeepSpeed's ``zero_to_fp32.py`` takes them apart; its objects are stand-ins here."""

import argparse
from collections import OrderedDict

import numpy as np
import pytest

from gradcascade.errors import InputError
from gradcascade.fields.kinds import Optimizer
from gradcascade.sources import discover
from gradcascade.sources.checkpoint import described, files_of

torch = pytest.importorskip("torch")

SHAPES = OrderedDict([("wte.weight", (13, 4)), ("h.0.w", (4, 4)), ("h.0.b", (4,)), ("head.weight", (7, 4))])
WORLD = 3


def weights(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) for name, shape in SHAPES.items()}


def padded(flat, multiple):
    return torch.cat([flat, torch.zeros(-len(flat) % multiple)])


def write_stage_2(folder, values, groups=(("wte.weight", "h.0.w"), ("h.0.b", "head.weight")), paddings=None):
    folder.mkdir(parents=True)
    shapes = [OrderedDict((name, values[name].shape) for name in names) for names in groups]
    ranks = [[] for _ in range(WORLD)]
    for number, names in enumerate(groups):
        parts = []
        for place, name in enumerate(names):
            parts += [values[name].flatten(), torch.full((paddings[number][place] if paddings else 0,), 9.0)]
        for rank, part in enumerate(padded(torch.cat(parts), 2 * WORLD).chunk(WORLD)):
            ranks[rank].append(part.clone())
    write(folder, "mp_rank_00_model_states.pt", shapes, ranks, "single_partition_of_fp32_groups", 2, paddings)


def write_stage_3(folder, values):
    folder.mkdir(parents=True)
    ranks = [[] for _ in range(WORLD)]
    for value in values.values():
        share = -(-value.numel() // WORLD)
        for rank, part in enumerate(padded(value.flatten(), share * WORLD).chunk(WORLD)):
            ranks[rank].append(part.clone())
    # sub-groups of a rank are cut anywhere between parameters
    flat = [[torch.cat(parts[:2]), torch.cat(parts[2:])] for parts in ranks]
    shapes = [OrderedDict((name, value.shape) for name, value in values.items())]
    write(folder, "zero_pp_rank_0_mp_rank_00_model_states.pt", shapes, flat, "fp32_flat_groups", 3, None)


def write(folder, name, shapes, ranks, key, stage, paddings):
    empty = {parameter: torch.empty(0) for named in shapes for parameter in named}
    torch.save(
        {
            "module": empty,
            "buffer_names": [],
            "param_shapes": shapes,
            "frozen_param_shapes": None,
            "shared_params": {},
            "ds_config": {"zero_optimization": {"stage": stage}},
            "ds_version": "0.19.8",
            "args": argparse.Namespace(lr=1.0),  # an object, as the real files hold some
        },
        folder / name,
    )
    for rank, flat in enumerate(ranks):
        state = {
            "zero_stage": stage,
            "partition_count": WORLD,
            key: flat,
            "loss_scaler": argparse.Namespace(scale=2.0),
        }
        if paddings:
            state["param_alignment_paddings"] = paddings
        torch.save({"optimizer_state_dict": state}, folder / f"bf16_zero_pp_rank_{rank}_mp_rank_00_optim_states.pt")


@pytest.mark.parametrize("stage", ["2", "2 aligned", "3"])
def test_the_float32_weights_are_put_together_from_all_ranks(tmp_path, stage):
    folder, values = tmp_path / "global_step10", weights()
    if stage == "3":
        write_stage_3(folder, values)
    else:
        write_stage_2(folder, values, paddings=[[3, 0], [1, 2]] if "aligned" in stage else None)
    opening = next(folder.glob("*model_states.pt"))
    found = described(opening)
    assert set(found) == set(SHAPES)
    for name, tensor in found.items():
        np.testing.assert_array_equal(tensor.read_field(), values[name].numpy())
    assert len(files_of(opening)) == 1 + WORLD


def test_a_missing_rank_is_refused(tmp_path):
    write_stage_2(tmp_path / "global_step10", weights())
    next((tmp_path / "global_step10").glob("*rank_1_*")).unlink()
    with pytest.raises(InputError, match="optimizer states of 2 ranks of 3"):
        described(tmp_path / "global_step10" / "mp_rank_00_model_states.pt")


@pytest.mark.parametrize(
    "part",
    [
        "zero_pp_rank_0_mp_rank_01_optim_states.pt",
        "mp_rank_01_model_states.pt",
        "layer_0_expert_3_mp_rank_00_model_states.pt",
    ],
)
def test_tensor_parallel_parts_and_experts_are_refused(tmp_path, part):
    write_stage_2(tmp_path / "global_step10", weights())
    torch.save({}, tmp_path / "global_step10" / part)
    with pytest.raises(InputError, match=rf"tensor-parallel ranks or experts \('{part}'\)"):
        described(tmp_path / "global_step10" / "mp_rank_00_model_states.pt")


def test_partitions_that_do_not_add_up_are_refused(tmp_path):
    values = weights()
    write_stage_2(tmp_path / "global_step10", values)
    path = next((tmp_path / "global_step10").glob("*rank_0_*optim*"))
    state = torch.load(path, weights_only=False)
    state["optimizer_state_dict"]["single_partition_of_fp32_groups"][0] = torch.zeros(3)
    torch.save(state, path)
    with pytest.raises(InputError, match="entries belong to a group"):
        described(tmp_path / "global_step10" / "mp_rank_00_model_states.pt")


MOMENTS = ("exp_avg", "exp_avg_sq")


def add_moments(folder, stage, elastic=False, step=7, **settings):
    """Adam's moments, minus the weights and their squares, laid out like them."""
    key = "fp32_flat_groups" if stage == 3 else "single_partition_of_fp32_groups"
    for path in folder.glob("*optim_states.pt"):
        saved = torch.load(path, weights_only=False)
        state = saved["optimizer_state_dict"]
        own = [dict(zip(MOMENTS, (-flat, flat**2), strict=True)) for flat in state[key]]
        if elastic:
            state["base_optimizer_state"] = [{"step": step, **moments} for moments in own]
        else:
            groups = [{"params": [number], **settings} for number in range(len(own))]
            kept = {number: {"step": torch.tensor(float(step)), **moments} for number, moments in enumerate(own)}
            name = "optimizer_state_dict" if stage == 3 else "base_optimizer_state"
            state[name] = {"state": kept, "param_groups": groups}
        torch.save(saved, path)


def of_kind(root, kind, **more):
    [ref] = discover(root, fields=[kind], **more).snapshots()
    return ref


def flat_of(values):
    return torch.cat([value.flatten() for value in values.values()]).numpy()


BETAS = {"betas": (0.9, 0.95), "eps": 1e-6}


def direction(values, beta1=0.9, beta2=0.95, eps=1e-6, step=7):
    mean = -flat_of(values).astype(np.float64)
    square = (flat_of(values) ** 2).astype(np.float64)
    return (mean / (1 - beta1**step) / (np.sqrt(square / (1 - beta2**step)) + eps)).astype(np.float32)


@pytest.mark.parametrize("elastic", [False, True])
@pytest.mark.parametrize("stage", ["2", "2 aligned", "3"])
def test_moments_are_put_together_like_the_weights(tmp_path, stage, elastic):
    folder, values = tmp_path / "global_step10", weights()
    if stage == "3":
        write_stage_3(folder, values)
    else:
        write_stage_2(folder, values, paddings=[[3, 0], [1, 2]] if "aligned" in stage else None)
    add_moments(folder, int(stage[0]), elastic, **({} if elastic else BETAS))
    ref = of_kind(tmp_path, "momentum")
    assert (ref.step, ref.span, len(ref.files)) == (10, None, 1 + WORLD)
    np.testing.assert_array_equal(ref.load(), -flat_of(values))
    given = {"optimizer": Optimizer(0.9, 0.95, 1e-6)} if elastic else {}
    np.testing.assert_array_equal(of_kind(tmp_path, "direction", **given).load(), direction(values))
    if elastic:  # it has no settings
        with pytest.raises(InputError, match=r"does not say the betas and eps.*optimizer = \{beta1"):
            of_kind(tmp_path, "direction").load()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"betas": (0.9, 0.95), "eps": 1e-6, "bias_correction": False}, "bias_correction is off"),
        ({"betas": (0.9, 0.95), "eps": 1e-6, "decoupled_weight_decay": False}, "those of RAdam"),
        ({"betas": (0.9, 0.95), "eps": 1e-6, "amsgrad": True}, "amsgrad and keeps no max_exp_avg_sq"),
    ],
)
def test_other_rules_than_adams_have_no_direction(tmp_path, settings, said):
    write_stage_2(tmp_path / "global_step10", weights())
    add_moments(tmp_path / "global_step10", 2, **settings)
    assert of_kind(tmp_path, "momentum").load().size == sum(value.numel() for value in weights().values())
    with pytest.raises(InputError, match=said):
        of_kind(tmp_path, "direction").load()


@pytest.mark.parametrize("damage", ["short", "missing", "another step", "none"])
def test_moments_of_which_a_rank_lacks_a_part_are_refused(tmp_path, damage):
    folder = tmp_path / "global_step10"
    write_stage_2(folder, weights())
    if damage != "none":
        add_moments(folder, 2, **BETAS)
        path = next(folder.glob("*rank_1_*optim*"))
        saved = torch.load(path, weights_only=False)
        kept = saved["optimizer_state_dict"]["base_optimizer_state"]["state"][1]
        if damage == "another step":
            kept["step"] += 1
        elif damage == "missing":
            del kept["exp_avg"]
        else:
            kept["exp_avg"] = kept["exp_avg"][:-1].clone()
        torch.save(saved, path)
    said = {"another step": "at different steps", "none": "holds no state of the optimizer"}
    for kind in ("momentum", "direction"):
        with pytest.raises(
            InputError, match=said.get(damage, "exp_avg' is not there, or not as long as the weights")
        ):
            of_kind(tmp_path, kind).load()
