from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from gradcascade.scaling.regression import fit_lines, t_quantile, t_quantiles


@pytest.mark.parametrize("sizes", [[3], [4, 3, 5], [2, 4, 1, 7]], ids=str)
def test_matches_one_regression_per_group(sizes: list[int]) -> None:
    rng = np.random.default_rng(1)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp)
    x, y = rng.uniform(10, 19, sum(sizes)), rng.normal(size=sum(sizes))
    lines = fit_lines(x, y, starts)
    for group, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        assert lines.n_points[group] == size
        if size < 3:
            assert np.isnan([lines.value[group], lines.se[group], lines.low[group], lines.r2[group]]).all()
            continue
        twin: Any = stats.linregress(x[start : start + size], y[start : start + size])
        half = stats.t.ppf(0.975, size - 2) * twin.stderr
        ours = [lines.value[group], lines.se[group], lines.low[group], lines.high[group], lines.r2[group]]
        theirs = [twin.slope, twin.stderr, twin.slope - half, twin.slope + half, twin.rvalue**2]
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_equal_ordinates_have_slope_zero_and_no_r2() -> None:
    lines = fit_lines(np.array([1.0, 2.0, 4.0]), np.full(3, 0.1) * 3, np.array([0]))
    assert (lines.value[0], lines.se[0], lines.low[0], lines.high[0]) == (0, 0, 0, 0)
    assert np.isnan(lines.r2[0])


def test_ratios_equal_to_rounding_count_as_equal() -> None:
    n = np.array([7.0, 49.0, 343.0])
    lines = fit_lines(np.log(n), np.log(n * 0.135) - np.log(n), np.array([0]))
    assert lines.value[0] == 0 and np.isnan(lines.r2[0])


def test_one_abscissa_has_no_slope() -> None:
    lines = fit_lines(np.full(4, 3.0), np.arange(4.0), np.array([0]))
    assert np.isnan(lines.value[0])


def test_no_rows() -> None:
    assert fit_lines(np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.intp)).value.size == 0


def test_t_quantiles() -> None:
    np.testing.assert_allclose(t_quantiles(np.array([1, 2, 1, 3])), [12.7062, 4.3027, 12.7062, 3.1824], atol=1e-4)
    assert [t_quantile(degrees) for degrees in (1, 2, 3)] == t_quantiles(np.array([1, 2, 3])).tolist()
    assert t_quantile(1) is t_quantile(1)
