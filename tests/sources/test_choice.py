"""Orders of tensors, and the tensors that patterns choose."""

import pytest

from gradcascade.errors import InputError
from gradcascade.sources.choice import selected
from gradcascade.tensor_names import ordered


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
