from typing import Any

import numpy as np
import pytest

import gradcascade as gc
from gradcascade.numbers import real, whole


@pytest.mark.parametrize("value", [3, np.int32(3), np.uint8(3)])
def test_whole_numbers_of_python_and_numpy_are_the_same(value):
    assert whole("m", value) == 3 and type(whole("m", value)) is int
    assert real("m", value) == 3.0 and type(real("m", value)) is float
    assert gc.Probe(m=value).hash == gc.Probe(m=3).hash


@pytest.mark.parametrize("value", [1.5, np.float64(2.0), "3", None, True, np.bool_(True), [3]])
@pytest.mark.parametrize("name", ["m", "graph_seed", "max_steps"])
def test_anything_else_is_refused_by_name(name, value):
    settings: Any = {name: value}
    with pytest.raises(gc.InputError, match=f"{name} must be a whole number, got"):
        gc.Probe(**settings)


@pytest.mark.parametrize("value", ["0.3", None, True, 1j])
@pytest.mark.parametrize("name", ["alpha", "quantile"])
def test_what_is_no_number_is_refused_by_name(name, value):
    settings: Any = {name: value}
    with pytest.raises(gc.InputError, match=f"{name} must be a number, got"):
        gc.Probe(**settings)


@pytest.mark.parametrize("name", ["seed", "replicate"])
def test_seeds_of_nulls_are_whole_numbers(name):
    settings: Any = {"seed": 1} | {name: 1.5}
    with pytest.raises(gc.InputError, match=f"{name} must be a whole number, got 1.5"):
        gc.null("N0", 1000, **settings)
    four: Any = np.int64(4)
    assert np.array_equal(gc.null("N0", 1000, seed=four), gc.null("N0", 1000, seed=4))
