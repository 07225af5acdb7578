import numpy as np
import pytest

from gradcascade.fields.controls import clip_field, draw_signs
from gradcascade.probe.hashing import GOLDEN, mix_array, stream_key


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 5, 10_001])
def test_signs_are_the_top_bits_of_the_stream(n, dtype):
    values = np.random.default_rng(n).standard_normal(n).astype(dtype)
    key = stream_key(n)
    words = mix_array(key + GOLDEN * np.arange(1, n + 1, dtype=np.uint64))
    expected = np.where(words >> np.uint64(63) == 1, -np.abs(values), np.abs(values))
    for threads in (1, 4):
        assert np.array_equal(draw_signs(values, key, threads), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("threads", [1, 4])
def test_clipping_a_heavy_tail(dtype, threads):
    values = np.random.default_rng(1).standard_t(2, 50_000).astype(dtype)
    bound = dtype(2 * np.quantile(np.abs(values.astype(np.float64)), 0.9))
    assert np.array_equal(clip_field(values, 2, 0.9, threads), np.clip(values, -bound, bound))


def test_clipping_a_huge_field_does_not_overflow():
    values = np.array([1e38, -2e38, 3e38], np.float32)
    assert np.array_equal(clip_field(values, 5, 0.9), values)


def test_a_field_of_mostly_zeros_has_no_threshold_and_is_clipped_to_nothing():
    values = np.zeros(1000)
    values[0] = 1
    assert not clip_field(values, 3, 0.9).any()
