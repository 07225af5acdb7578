from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twins import FIELDS, make_field

from gradcascade.errors import InputError
from gradcascade.probe import fixedpoint, threshold


def scaled(field, q=0.9):
    magnitudes = threshold.survey(field)
    tau = threshold.quantile(field, q, magnitudes)
    return tau, fixedpoint.choose_scale(tau, magnitudes)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", FIELDS)
def test_units_are_whole_parts_of_exact_products(kind, dtype):
    field = make_field(kind, 500, 1, dtype)
    _, scale = scaled(field)
    expected = [int(Fraction(float(entry)) * Fraction(2) ** scale.exponent) for entry in field]
    assert fixedpoint.to_units(field, scale).tolist() == expected


@given(st.sampled_from(sorted(FIELDS)), st.integers(3, 300), st.integers(0, 999))
def test_an_entry_passes_the_threshold_in_units_as_in_the_field(kind, n, seed):
    field = make_field(kind, n, seed)
    tau, scale = scaled(field)
    units = fixedpoint.to_units(field, scale)
    assert np.array_equal(np.abs(units) > scale.threshold, np.abs(field.astype(np.float64)) > tau)


@given(st.sampled_from(sorted(FIELDS)), st.integers(3, 300), st.integers(0, 999))
def test_accumulators_have_room_for_all_magnitudes_at_once(kind, n, seed):
    field = make_field(kind, n, seed)
    _, scale = scaled(field)
    assert sum(abs(int(unit)) for unit in fixedpoint.to_units(field, scale)) < 2**fixedpoint.SUM_BITS


def test_a_field_beyond_the_range_is_refused_with_its_figures():
    field = np.ones(100)
    field[3] = 1e30
    with pytest.raises(InputError, match=r"1e\+30 is 1e\+30 times its threshold 1"):
        scaled(field)


@pytest.mark.parametrize("factor", [1e-312, 1e-300, 1e300])
def test_the_ends_of_the_range_of_doubles_do_not_overflow(factor):
    field = np.arange(1, 101) * factor
    tau, scale = scaled(field)
    assert np.array_equal(np.abs(fixedpoint.to_units(field, scale)) > scale.threshold, field > tau)
