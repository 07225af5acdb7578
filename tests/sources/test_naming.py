"""Names of families, scales and steps, and the orders of tensors."""

import pytest

from gradcascade.errors import InputError
from gradcascade.sources.choice import ordered, selected
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


def test_orders() -> None:
    names = ["layers.2.b", "layers.2.a", "layers.10.b", "layers.10.a", "head"]
    assert ordered(names, "file") == names
    assert ordered(names, "sorted") == ["head", "layers.10.a", "layers.10.b", "layers.2.a", "layers.2.b"]
    assert ordered(names, "grouped") == ["layers.2.b", "layers.10.b", "layers.2.a", "layers.10.a", "head"]


def test_types_of_tensors_keep_the_numbers_of_their_own_names() -> None:
    assert ordered(["h.0.w_2", "h.0.w_1", "h.1.w_2"], "grouped") == ["h.0.w_2", "h.1.w_2", "h.0.w_1"]


def test_selection_keeps_the_given_order_and_refuses_idle_patterns() -> None:
    assert selected(["b.weight", "a.weight", "c"], ["a*", "b*"], "file") == ["b.weight", "a.weight"]
    with pytest.raises(InputError, match=r"file: no tensor matches 'x\*'"):
        selected(["b.weight"], ["b*", "x*"], "file")
