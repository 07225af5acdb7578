"""Names of families, scales and steps."""

import pytest

from gradcascade.sources.naming import family_and_scales, natural, step_of


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
        ("step_٣", None),
    ],
)  # fmt: skip
def test_steps(name: str, step: int | None) -> None:
    assert step_of(name) == step


def test_numbers_sort_as_numbers() -> None:
    assert sorted(["d192", "d24", "large", "d96"], key=natural) == ["d24", "d96", "d192", "large"]
