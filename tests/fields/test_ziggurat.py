from __future__ import annotations

import numpy as np
import pytest
from numba.np.random import _constants as published

from gradcascade.fields.ziggurat import fill, tables


@pytest.mark.parametrize("seed", range(8))
def test_bits_are_those_of_numpy(seed: int) -> None:
    """Some 4,300 of these numbers lie in the tail and 200,000 at an edge, so that every branch is taken."""
    n = 2**21 + 17 * seed
    ours = np.empty(n, np.float32)
    fill(np.random.PCG64(seed), ours)
    theirs = np.random.Generator(np.random.PCG64(seed)).standard_normal(n, dtype=np.float32)
    np.testing.assert_array_equal(ours.view(np.uint32), theirs.view(np.uint32))
    assert (np.abs(theirs) > 3.6542).sum() > 400


def test_tables_are_those_of_numpy_as_numba_has_them() -> None:
    for ours, theirs in zip(tables(), (published.ki_float, published.wi_float, published.fi_float), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


def test_the_generator_is_left_as_it_was() -> None:
    bits = np.random.PCG64(3)
    fill(bits, np.empty(10, np.float32))
    assert bits.state == np.random.PCG64(3).state
