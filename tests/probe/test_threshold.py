import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from twins import FIELDS, make_field, sorted_quantile

from gradcascade.errors import InputError
from gradcascade.probe import threshold

finite = st.floats(allow_nan=False, allow_infinity=False, width=32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(values=arrays(np.float32, st.integers(2, 60), elements=finite), q=st.floats(0.01, 0.99))
def test_quantile_equals_sorting(dtype, values, q):
    field = values.astype(dtype)
    assert threshold.quantile(field, q) == sorted_quantile(field, q)


@pytest.mark.parametrize("kind", FIELDS)
def test_quantile_is_numpys_in_double_precision(kind):
    field = make_field(kind, 10_001, 1, np.float64)
    assert threshold.quantile(field, 0.9) == pytest.approx(np.quantile(np.abs(field), 0.9), rel=1e-15)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_change_nothing(threads):
    field = make_field("heavy-tailed", 10_000, 1)
    one, many = threshold.survey(field, 1), threshold.survey(field, threads)
    assert np.array_equal(one.histogram, many.histogram)
    assert (one.largest, one.zeros, one.sum_exponent) == (many.largest, many.zeros, many.sum_exponent)
    assert threshold.quantile(field, 0.9, threads=threads) == threshold.quantile(field, 0.9)


@given(arrays(np.float32, st.integers(3, 60), elements=finite))
def test_survey_says_what_the_field_holds(field):
    found = threshold.survey(field)
    wide = np.abs(field.astype(np.float64))
    assert found.largest == wide.max()
    assert found.zeros == np.count_nonzero(wide == 0)
    if wide.sum():
        assert wide.sum() < 2.0**found.sum_exponent <= 4 * max(wide.sum(), 2.0**-134 * np.count_nonzero(wide))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_entries_that_are_not_finite_are_counted_and_placed(dtype, bad):
    field = np.ones(1000, dtype)
    field[123] = bad
    with pytest.raises(InputError, match=r"1 of 1,000 entries.*at index 123"):
        threshold.survey(field)


def test_subsample_is_a_function_of_seed_and_size():
    field = make_field("normal", 5000, 1)
    drawn = [threshold.subsample(field, seed, 1000) for seed in (1, 1, 2)]
    first, again, other = (part for part in drawn if isinstance(part, np.ndarray))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.isin(first, field).all()
    assert threshold.subsample(field, 1, 5000) is field
    tau = [threshold.quantile(threshold.subsample(field, seed, 1000), 0.9) for seed in range(50)]
    assert np.mean(tau) == pytest.approx(threshold.quantile(field, 0.9), rel=0.02)
