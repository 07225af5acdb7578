"""What trainers put into the folder of a run, written by torch: every update equals torch's own difference."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed.checkpoint as dcp

from gradcascade.errors import InputError
from gradcascade.sources import discover

STEPS = (1000, 2000, 3500)
WIDTHS = (4, 6, 8, 12)


def model(width: int, step: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(1000 * width + step)
    layers = {f"layers.{i}.{part}.weight": torch.randn(width, width) for i in (0, 1, 10) for part in ("out", "in")}
    return {"embed.weight": torch.randn(9, width), **layers, "head.weight": torch.randn(9, width)}


def moments(weights: dict[str, torch.Tensor]) -> dict:
    return {"state": {i: {"exp_avg": torch.randn_like(w)} for i, w in enumerate(weights.values())}}


def nanogpt(folder: Path, width: int, step: int) -> None:
    weights = model(width, step)
    state = {"model": weights, "optimizer": moments(weights), "iter_num": step, "best_val_loss": torch.tensor(2.5)}
    torch.save(state, folder / f"ckpt_{step:06}.pt")
    torch.save(state, folder / "ckpt.pt")


def lightning(folder: Path, width: int, step: int) -> None:
    weights = {f"model.{name}": value for name, value in model(width, step).items()}
    folder = folder / "lightning_logs" / "version_0" / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    state = {"epoch": 3, "global_step": step, "state_dict": weights, "optimizer_states": [moments(weights)]}
    torch.save(state, folder / f"epoch={step // 1000}-step={step}.ckpt")
    torch.save(state, folder / "last.ckpt")


def olmo(folder: Path, width: int, step: int) -> None:
    for name in (f"step{step}", f"step{step}-unsharded", "latest"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    torch.save(model(width, step), folder / f"step{step}-unsharded" / "model.pt")
    torch.save({"rank": torch.ones(9)}, folder / f"step{step}" / "rank0.pt")


def litgpt(folder: Path, width: int, step: int) -> None:
    (folder / f"step-{step:08}").mkdir()
    torch.save({"model": model(width, step)}, folder / f"step-{step:08}" / "lit_model.pth")


def saved(state: dict, folder: Path) -> None:
    dcp.save(state, checkpoint_id=folder, no_dist=True)


def trainer_fsdp(folder: Path, width: int, step: int) -> None:
    """accelerate's sharded state under transformers' Trainer."""
    weights = model(width, step)
    saved({"model": weights}, folder / f"checkpoint-{step}" / "pytorch_model_fsdp_0")
    saved({"optimizer": moments(weights)}, folder / f"checkpoint-{step}" / "optimizer_0")


def olmo_core(folder: Path, width: int, step: int) -> None:
    weights = model(width, step)
    saved({"model": weights, "optim": moments(weights)}, folder / f"step{step}" / "model_and_optim")
    (folder / f"step{step}" / "train").mkdir()
    torch.save({"global_step": step}, folder / f"step{step}" / "train" / "rank0.pt")


def torchtitan(folder: Path, width: int, step: int) -> None:
    weights = model(width, step)
    optimizer = {f"state.{name}.exp_avg": torch.randn_like(value) for name, value in weights.items()}
    saved({**weights, "optimizer": optimizer, "train_state": {"step": step}}, folder / "checkpoint" / f"step-{step}")


WRITERS = [nanogpt, lightning, olmo, litgpt, trainer_fsdp, olmo_core, torchtitan]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_updates_are_those_of_torch(write, tmp_path):
    for width in WIDTHS:
        for step in STEPS:
            folder = tmp_path / "runs" / f"mine-d{width}"
            folder.mkdir(parents=True, exist_ok=True)
            write(folder, width, step)
    found = discover(tmp_path / "runs", order="canonical").snapshots()
    assert [(ref.scale, ref.step) for ref in found] == [(f"d{w}", s) for w in WIDTHS for s in STEPS[1:]]
    for ref in found:
        width = int(ref.scale[1:])
        before, after = model(width, ref.step - (ref.span or 0)), model(width, ref.step)
        names = ["embed", "head", *(f"layers.{i}.{part}" for i in (0, 1, 10) for part in ("in", "out"))]
        wanted = torch.cat([(after[f"{n}.weight"] - before[f"{n}.weight"]).reshape(-1) for n in names])
        np.testing.assert_array_equal(ref.load(), wanted.numpy())


def test_what_holds_a_step_again_is_left_out_and_known(tmp_path):
    for step in STEPS:
        nanogpt(tmp_path, 4, step)
    torch.save(model(4, 5), tmp_path / "ckpt_best.pt")
    source = discover(tmp_path)
    assert [ref.step for ref in source.snapshots()] == [2000, 3500]
    assert [run.copies for run in source.runs.values()] == [("ckpt.pt", "ckpt_best.pt")]


def test_two_files_for_a_step_are_refused(tmp_path):
    torch.save(model(4, 1), tmp_path / "ckpt_10.pt")
    torch.save(model(4, 1), tmp_path / "step_10.pt")
    with pytest.raises(InputError, match=r"two files for step 10, ckpt_10.pt and step_10.pt; keep one"):
        discover(tmp_path)


def test_several_versions_of_lightning_are_several_runs(tmp_path):
    for number in (0, 1):
        folder = tmp_path / "lightning_logs" / f"version_{number}" / "checkpoints"
        folder.mkdir(parents=True)
        torch.save({"state_dict": model(4, 1)}, folder / "epoch=0-step=10.ckpt")
    with pytest.raises(InputError, match=r"holds 2 runs \(version_0 to version_1\)"):
        discover(tmp_path)


def test_what_is_not_read_is_said_with_the_files_that_are(tmp_path):
    (tmp_path / "run" / "step_10").mkdir(parents=True)
    torch.save(model(4, 1), tmp_path / "run" / "step_10" / "weights.pt")
    with pytest.raises(
        InputError, match=r"run/step_10 and the like hold no file that is read.*lit_model\.pth, ckpt\.pt"
    ):
        discover(tmp_path)
    with pytest.raises(
        InputError, match=r"neither runs/<run>/checkpoints/step_N nor .* files\s+ckpt_N\.pt.*model\.safet"
    ):
        discover(tmp_path / "run" / "step_10")
