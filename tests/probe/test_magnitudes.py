import numpy as np
import pytest
from twins import FIELDS, make_field

from gradcascade.probe import magnitudes


def sum_of_upper_edges(field):
    """Sum over the entries that are not zero of the upper edges of their bins, in Python's exact integers."""
    width, fraction_bits, bias = (32, 8, 127) if field.dtype == np.float32 else (64, 5, 1023)
    words = field.view(np.uint32 if width == 32 else np.uint64).tolist()
    total = 0
    for word in words:
        key = word << 1 & (1 << width) - 1
        exponent, fraction = divmod(key >> width - 16, 1 << fraction_bits)
        edge = fraction + 1 if exponent == 0 else ((1 << fraction_bits) + fraction + 1) << (exponent - 1)
        total += edge if key else 0
    return total.bit_length() + 1 - bias - fraction_bits


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", FIELDS)
def test_the_bound_of_the_sum_is_what_exact_integers_give(kind, dtype):
    field = make_field(kind, 3000, 1, dtype)
    width = 8 * field.itemsize
    keys = field.view(np.uint32 if width == 32 else np.uint64) << 1
    histogram = np.bincount((keys >> (width - 16)).astype(np.int64), minlength=magnitudes.BINS)
    found = magnitudes.describe(histogram, int(keys.max()), int((keys == 0).sum()), width)
    assert found.sum_exponent == sum_of_upper_edges(field)
    assert found.largest == np.abs(field).max()


def test_place_and_interpolate_are_numpys_linear_quantile():
    ordered = np.sort(np.random.default_rng(1).random(37))
    for q in (0.01, 0.3, 0.5, 0.9, 0.999):
        rank, fraction = magnitudes.place(q, 37)
        found = magnitudes.interpolate(ordered[rank], ordered[rank + 1], fraction)
        assert found == pytest.approx(np.quantile(ordered, q), rel=1e-15)
