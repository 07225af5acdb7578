import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twins import FIELDS, make_field

from gradcascade.fields.moments import Moments, extremes, moments


def exact_moments(field):
    exponent = math.frexp(float(np.max(np.abs(field))))[1] if np.any(field) else 0
    values = [Fraction(float(value)) / Fraction(2) ** exponent for value in field]
    mean = sum(values) / len(values)
    second, fourth = (float(sum((value - mean) ** power for value in values) / len(values)) for power in (2, 4))
    return Moments(len(values), len(set(values)) == 1, exponent, float(mean), second, fourth)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", FIELDS)
@given(n=st.integers(1, 300), seed=st.integers(0, 99))
def test_moments_equal_those_of_exact_arithmetic(kind, dtype, n, seed):
    field = make_field(kind, n, seed, dtype)
    found, exact = moments(field), exact_moments(field)
    assert (found.n, found.constant, found.exponent) == (exact.n, exact.constant, exact.exponent)
    assert found.mean == pytest.approx(exact.mean, rel=1e-12, abs=1e-15)
    assert found.second == pytest.approx(exact.second, rel=1e-12, abs=1e-30)
    assert found.fourth == pytest.approx(exact.fourth, rel=1e-12, abs=1e-60)


@pytest.mark.parametrize("n", [1, 5, 65_536, 200_001])
def test_the_number_of_threads_changes_no_bit(n):
    field = make_field("heavy-tailed", n, 1)
    assert moments(field, 1) == moments(field, 2) == moments(field, 5)


@pytest.mark.parametrize("factor", [1e-310, 1e-300, 1e300])
def test_the_ends_of_the_range_of_doubles_do_not_overflow(factor):
    found = moments(np.array([1.0, 2.0, 3.0]) * factor)
    assert math.ldexp(found.mean, found.exponent) == pytest.approx(2 * factor)
    assert math.ldexp(math.sqrt(found.second), found.exponent) == pytest.approx(math.sqrt(2 / 3) * factor, rel=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "values", [[-3.0, -1.0], [1.0, 3.0], [-0.0, 0.0], [-1e-40, 1e-40], [-np.inf, 2.0], [5.0], [-5.0, -5.0, 2.5]]
)
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_extremes_are_numpys(values, dtype, threads):
    field = np.array(values, dtype)
    assert extremes(field, threads) == (field.min(), field.max())


def test_extremes_of_many_entries_are_numpys():
    for kind in FIELDS:
        for dtype in (np.float32, np.float64):
            field = make_field(kind, 100_003, 7, dtype)
            assert extremes(field, 3) == (field.min(), field.max())
