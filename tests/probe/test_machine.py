import numba
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gradcascade.probe import machine

WORDS = st.integers(0, 2**64 - 1)


@numba.njit
def _lowest(word):
    return machine.lowest_bit(word)  # pyright: ignore[reportCallIssue]


@numba.njit
def _fetched(values):
    total = 0
    for i in range(values.shape[0]):
        machine.prefetch(values, np.uint64(i))  # pyright: ignore[reportCallIssue]
        machine.prefetch_to_write(values, np.uint64(i + 100))  # pyright: ignore[reportCallIssue]
        total += values[i]
    return total


@given(WORDS.filter(bool))
def test_the_lowest_bit_is_that_of_python_integers(word):
    assert _lowest(np.uint64(word)) == (word & -word).bit_length() - 1


def test_a_prefetch_changes_nothing():
    values = np.arange(1000)
    assert _fetched(values) == values.sum()
