import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twins import uniform_array

from gradcascade.fields.permutation import _BUCKET, permute, permute_within
from gradcascade.probe.hashing import stream_key


def slow_permute(values, key):
    """Plain Python: entries into random buckets, in order, then Fisher-Yates from the end of each bucket."""
    n = len(values)
    count = max(1, n // _BUCKET)
    buckets = [[] for _ in range(count)]
    for value, draw in zip(values, uniform_array(key, np.arange(n, dtype=np.uint64)), strict=True):
        buckets[int(draw * count)].append(value)
    result = [value for bucket in buckets for value in bucket]
    draws = uniform_array(stream_key(int(key), 1), np.arange(n, dtype=np.uint64))
    start = 0
    for bucket in buckets:
        for i in range(start + len(bucket) - 1, start, -1):
            j = start + int(draws[i] * (i - start + 1))
            result[i], result[j] = result[j], result[i]
        start += len(bucket)
    return np.array(result, dtype=values.dtype)


@pytest.mark.parametrize("n", [1, 2, 1000, 3 * _BUCKET + 17])
def test_it_is_the_slow_permutation(n):
    values = np.arange(float(n))
    for threads in (1, 3):
        assert np.array_equal(permute(values, stream_key(n), threads), slow_permute(values, stream_key(n)))


def test_every_order_is_equally_likely():
    orders = [tuple(permute(np.arange(4.0), stream_key(1, seed))) for seed in range(12_000)]
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 24
    assert ((counts - 500) ** 2 / 500).sum() < 58  # chi-square, 23 degrees of freedom, p = 1e-4


def test_an_entry_goes_anywhere_across_the_buckets():
    n, draws = 200_000, 400
    label = np.zeros(n)
    label[:1000] = 1
    counts = np.zeros(20)
    for seed in range(draws):
        places = np.flatnonzero(permute(label, stream_key(2, seed)))
        counts += np.bincount(places * 20 // n, minlength=20)
    expected = 1000 * draws / 20
    assert ((counts - expected) ** 2 / expected).sum() < 51  # chi-square, 19 degrees of freedom, p = 1e-4


@given(st.integers(1, 300), st.integers(0, 2**32))
def test_permuting_loses_and_doubles_nothing(n, seed):
    assert sorted(permute(np.arange(float(n)), stream_key(seed), threads=2)) == list(range(n))


def test_groups_are_permuted_each_by_its_own_stream():
    values = np.arange(100.0)
    groups = [[(0, 30)], [(30, 50), (80, 100)], [(50, 80)]]
    drawn = permute_within(values, groups, stream_key(7), threads=2)
    for number, ranges in enumerate(groups):
        places = np.concatenate([np.arange(*pair) for pair in ranges])
        expected = slow_permute(values[places], stream_key(int(stream_key(7)), number))
        assert np.array_equal(drawn[places], expected)
