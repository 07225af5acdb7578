import numpy as np
import pytest
import scipy.stats

from gradcascade.fields.statistics import content_hash, kurtosis


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_kurtosis_is_scipys(dtype, scale):
    field = (np.random.default_rng(1).standard_t(6, 200_001) * scale).astype(dtype)
    expected = scipy.stats.kurtosis(field.astype(float) / scale, fisher=False)
    assert kurtosis(field) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("field", [np.zeros(5), np.ones(5)])
def test_kurtosis_of_a_constant_is_undefined(field):
    assert np.isnan(kurtosis(field))


def test_the_content_hash_sees_values_and_type():
    field = np.arange(10, dtype=np.float32)
    assert content_hash(field) == content_hash(field.copy())
    others = [field[::-1], field.astype(np.float64), field[:-1], -field]
    assert len({content_hash(other) for other in [field, *others]}) == 5
