"""ZeRO checkpoints, laid out as DeepSpeed's ``zero_to_fp32.py`` takes them apart; its objects are stand-ins here."""

import argparse
from collections import OrderedDict

import numpy as np
import pytest

from gradcascade.errors import InputError
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
