"""What an audit lists of a folder: the files that measuring would read, and no others."""

from pathlib import Path

import numpy as np
import pytest
from audit_listings import list_folder
from sample_runs import save_pt, save_safetensors, write_pico_run

from gradcascade.sources.audit import audit_family
from gradcascade.sources.folder import discover


def tensors(step: int) -> dict[str, np.ndarray]:
    return {"a.weight": np.random.default_rng(step).normal(size=(40, 50)).astype(np.float32)}


def gradients_of(folder: Path, name: str, steps: tuple[int, ...] = (1, 2, 3)) -> None:
    for step in steps:
        (save_safetensors if name.endswith(".safetensors") else save_pt)(
            tensors(step), folder / f"step_{step}" / name
        )


@pytest.mark.parametrize(
    "name", ["gradients.safetensors", "train_gradients.pt", "learning_dynamics/train_gradients.safetensors"]
)
def test_gradients_are_listed_where_they_are_read(tmp_path: Path, name: str) -> None:
    gradients_of(tmp_path / "run", name)
    listing = list_folder(tmp_path)
    (run,) = listing.runs
    assert run.measured_steps("train") == [1, 2, 3] and run.measured_steps("val") == []
    read = {snapshot.files[0] for snapshot in discover(tmp_path, fields=("gradient",)).snapshots()}
    assert {file.path for step in run.steps for file in step.files} == read


def test_of_two_files_for_one_gradient_the_one_that_is_read_is_listed(tmp_path: Path) -> None:
    gradients_of(tmp_path / "run", "gradients.safetensors")
    gradients_of(tmp_path / "run", "train_gradients.pt", (2,))
    (run,) = list_folder(tmp_path).runs
    assert [[file.name for file in step.files] for step in run.steps] == [
        ["gradients.safetensors"],
        ["train_gradients.pt"],
        ["gradients.safetensors"],
    ]


def test_a_repeated_gradient_of_any_trainer_is_found(tmp_path: Path) -> None:
    gradients_of(tmp_path / "run", "gradients.safetensors")
    save_safetensors(tensors(1), tmp_path / "run" / "step_3" / "gradients.safetensors")
    (finding,) = audit_family(tmp_path).findings
    assert (finding.code, finding.steps) == ("identical-files", (1, 3))


def test_runs_of_one_scale_are_audited_by_themselves(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        for step in (1, 2, 3):
            file = tmp_path / f"d96-seed{seed}" / f"step_{step}" / "gradients.safetensors"
            save_safetensors(tensors(10 * seed + step), file)
    save_safetensors(tensors(21), tmp_path / "d96-seed2" / "step_3" / "gradients.safetensors")
    audit = audit_family(tmp_path)
    assert [run.name for run in audit.listing.runs] == [("d96", "1"), ("d96", "2"), ("d96", "3")]
    (finding,) = audit.findings
    assert (finding.code, finding.where, finding.steps) == ("identical-files", ("d96", "2"), (1, 3))
    assert [(entry.scale, entry.run, entry.step) for entry in audit.entries] == [("d96", "2", 1), ("d96", "2", 3)]


def test_the_runs_that_a_plan_names_are_audited_under_its_names(tmp_path: Path) -> None:
    for width in (6, 12):
        write_pico_run(tmp_path / f"tiny-d{width}", (0, 10), width, blocks=2)
    audit = audit_family(tmp_path, "own", scales={"big": "tiny-d12"})
    assert (audit.listing.family, [run.name for run in audit.listing.runs]) == ("own", [("big", "0")])
    assert audit.contents
