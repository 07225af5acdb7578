"""Names of families, scales and steps."""

import pytest

from gradcascade.sources.naming import family_and_scales, step_of, step_of_file
from gradcascade.tensor_names import natural


@pytest.mark.parametrize(
    ("runs", "given", "family", "scales"),
    [
        (["nano-d24", "nano-d192"], None, "nano", ["d24", "d192"]),
        (["nano-d24"], None, "nano", ["d24"]),
        (["pico-decoder-tiny", "pico-decoder-large"], None, "pico-decoder", ["tiny", "large"]),
        (["pico-decoder-tiny-1"], None, "pico-decoder", ["tiny-1"]),
        (["pythia-70m-seed3", "pythia-160m-seed3"], None, "pythia", ["70m-seed3", "160m-seed3"]),
        (["exp-d24", "exp-d240"], "mine", "mine", ["d24", "d240"]),
        (["small", "smaller"], None, "folder", ["small", "smaller"]),
        (["run-", "run-a"], None, "folder", ["run-", "run-a"]),
        (["my-run"], None, "folder", ["my-run"]),
        (["my-run"], "my", "my", ["run"]),
        (["nano-"], None, "folder", ["nano-"]),
        (["nano-"], "nano", "nano", ["nano-"]),
        (["nano-d24", "nano-d48", "other-d24"], "nano", "nano", ["d24", "d48", "other-d24"]),
        (["gpt-a-d24", "gpt-a-d48", "gpt-b-d72"], "gpt-a", "gpt-a", ["d24", "d48", "gpt-b-d72"]),
        (["gpt-a-d24", "d24"], "gpt-a", "gpt-a", ["gpt-a-d24", "d24"]),
        (["pico-decoder-tiny", "pico-decoder-large"], "pico", "pico", ["tiny", "large"]),
    ],
    ids=str,
)
def test_family_and_scales(runs: list[str], given: str | None, family: str, scales: list[str]) -> None:
    assert family_and_scales(runs, "folder", given) == (family, scales)


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("step_20", 20), ("step20", 20), ("checkpoint-500", 500), ("global_step1000", 1000), ("step_0", 0),
        ("steps_20", None), ("step_", None), ("step_-1", None), ("my_step_3", None), ("step_1.5", None),
        ("step_٣", None), ("step1000-unsharded", 1000), ("step1000-tokens4B", 1000), ("iter_0001000", 1000),
        ("step-00001000", 1000), ("epoch=3-step=1000", 1000), ("checkpoint-best", None),
        ("checkpoint-1000-best", None),
        ("best-epoch=3-step=1000", None), ("latest", None),
    ],
)  # fmt: skip
def test_steps(name: str, step: int | None) -> None:
    assert step_of(name) == step


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("ckpt_001000.pt", 1000), ("ckpt1000.pt", 1000), ("epoch=3-step=1000.ckpt", 1000),
        ("step-00001000.pth", 1000),
        ("epoch=3-step=1000-val_loss=0.25.ckpt", 1000), ("iter-001000-ckpt.pth", 1000), ("model_001000.pt", 1000),
        ("model_step_1000.safetensors", 1000), ("ckpt.pt", None), ("last.ckpt", None), ("ckpt_best.pt", None),
        ("model_0.pt", None), ("model-00001-of-00002.safetensors", None), ("optim_001000.pt", None),
        ("step_1000.json", None), ("best-epoch=3-step=1000.ckpt", None),
    ],
)  # fmt: skip
def test_steps_of_files(name: str, step: int | None) -> None:
    assert step_of_file(name) == step


def test_numbers_sort_as_numbers() -> None:
    assert sorted(["d192", "d24", "large", "d96"], key=natural) == ["d24", "d96", "d192", "large"]
