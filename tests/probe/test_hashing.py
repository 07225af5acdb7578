import numpy as np
import pytest
from twins import uniform_array

from gradcascade.probe import hashing


def test_the_compiled_numbers_are_the_plain_ones():
    counters = np.array([0, 1, 2, 12345, 2**40], np.uint64)
    key = hashing.stream_key(1, 42)
    expected = uniform_array(key, counters)
    found = [hashing.uniform(key, counter) for counter in counters]
    assert found == expected.tolist()
    assert all(0 <= value < 1 for value in found)


def test_streams_are_uniform_and_do_not_repeat_each_other():
    counters = np.arange(100_000, dtype=np.uint64)
    first, second = (uniform_array(hashing.stream_key(7, seed), counters) for seed in (1, 2))
    for stream in (first, second):
        counts = np.bincount((stream * 100).astype(int), minlength=100)
        assert ((counts - 1000) ** 2 / 1000).sum() < 160  # chi-square, 99 degrees of freedom, p = 1e-4
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.015


def test_keys_differ_with_every_part():
    keys = {int(hashing.stream_key(*parts)) for parts in [(), (0,), (0, 0), (1, 0), (0, 1), (-1,), (2**64 - 2,)]}
    assert len(keys) == 7


def test_numpy_integers_are_integers():
    assert hashing.stream_key(np.int64(-3), np.int32(5)) == hashing.stream_key(-3, 5)
    with pytest.raises(TypeError):
        hashing.stream_key(42.0)  # pyright: ignore[reportArgumentType]
