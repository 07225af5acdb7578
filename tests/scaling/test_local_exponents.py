from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from scipy import stats
from tests.support.many_scales import SIZES, many_scales

from gradcascade.scaling.local_exponents import MIN_LOCAL, local_exponents, stretch, stretches
from gradcascade.scaling.run_errors import SizeMeans


def test_slopes_and_errors_are_those_written_out() -> None:
    table = many_scales(1)
    found = local_exponents(table, (0, 99)).filter(exponent="z").sort("n")
    means = table.with_columns(pl.col("duration").log()).group_by("n").agg(pl.col("duration").mean()).sort("n")
    x, y = np.log(means["n"].to_numpy()), means["duration"].to_numpy()
    scatter = sm.OLS(y, np.vander(x - x.mean(), 3)).fit().mse_resid
    width = stretch(len(SIZES))
    assert found.height == len(SIZES) - width + 1 and set(found["n_scales"]) == {width}
    for first, row in enumerate(found.to_dicts()):
        part = x[first : first + width]
        se = np.sqrt(scatter / ((part - part.mean()) ** 2).sum())
        half = stats.t.ppf(0.975, len(SIZES) - 3) * se
        slope = np.polyfit(part, y[first : first + width], 1)[0]
        ours = [row[name] for name in ("value", "se", "low", "high")]
        assert ours == pytest.approx([slope, se, slope - half, slope + half], rel=1e-6)
        assert (row["n_first"], row["n_last"]) == (SIZES[first], SIZES[first + width - 1])
    assert local_exponents(table.filter(pl.col("n") <= SIZES[MIN_LOCAL - 2]), (0, 99)).is_empty()


@pytest.mark.parametrize("runs", [1, 3])
def test_intervals_cover_the_slopes_of_a_law_that_changes(runs: int) -> None:
    """Two thousand families as channels of one; what a parabola does not follow of the law counts as scatter."""
    x = np.log(SIZES)
    law = 0.2 * x + 0.2 * np.exp(-0.3 * (x - x[0]))
    rng = np.random.default_rng(5)
    y = law[:, None] + 0.05 * rng.standard_normal((2000, x.size, runs))
    variance = y.var(axis=2, ddof=1) if runs > 1 else np.full((2000, x.size), np.nan)
    width = stretch(x.size)
    value, se = stretches(SizeMeans(x, y.mean(axis=2), variance, np.full(x.size, runs)), width)
    truth = [np.polyfit(x[k : k + width], law[k : k + width], 1)[0] for k in range(value.shape[1])]
    held = np.abs(value - truth) <= stats.t.ppf(0.975, x.size - 3) * se
    assert 0.93 <= held.mean() <= 0.98
