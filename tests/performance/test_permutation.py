from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gradcascade.performance.permutation import (
    _random_phases,
    changes_test,
    lag_test,
    residuals,
    shift_test,
    smooth_trend,
    standardised,
    trend_test,
)


def series(count: int, steps: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, steps)).cumsum(axis=1)


@pytest.mark.parametrize("steps", [10, 21, 56])
def test_matches_all_shifts_written_out(steps: int) -> None:
    x, y = series(20, steps, 1), series(20, steps, 2)
    r, p = shift_test(x, y)
    for i in range(20):
        orders = [np.roll(way, s) for way in (y[i], y[i][::-1]) for s in range(steps)]
        all_r = np.array([np.corrcoef(x[i], order)[0, 1] for order in orders])
        assert r[i] == pytest.approx(np.corrcoef(x[i], y[i])[0, 1])
        assert p[i] == pytest.approx(np.mean(np.abs(all_r) >= abs(r[i]) - 1e-9))


def test_ranks_give_spearman() -> None:
    x, y = series(3, 30, 1), series(3, 30, 2)
    r, _ = shift_test(stats.rankdata(x, axis=1), stats.rankdata(y, axis=1))
    for a, b, found in zip(x, y, r, strict=True):
        assert found == pytest.approx(stats.spearmanr(a, b)[0])


def test_a_series_and_itself_is_the_strongest_order() -> None:
    x = np.random.default_rng(3).standard_normal((5, 40))
    r, p = shift_test(x, -2 * x + 7)
    np.testing.assert_allclose(r, -1)
    np.testing.assert_allclose(p, 1 / 80)


def test_constant_or_short_series_have_no_test() -> None:
    r, p = shift_test(np.full((1, 20), 0.1), series(1, 20))
    assert np.isnan(r).all() and np.isnan(p).all()
    r, p = shift_test(series(1, 9, 1), series(1, 9, 2))
    assert np.isfinite(r).all() and np.isnan(p).all()
    assert np.isnan(lag_test(series(1, 9)[0], series(1, 9, 2)[0], 2)[1])
    assert np.isnan(standardised(np.full((1, 20), 0.1))).all()


@pytest.mark.parametrize("lag", [-4, 0, 3])
def test_a_planted_lag_is_found(lag: int) -> None:
    long = np.random.default_rng(5).standard_normal(90)
    x, y = long[20:76], long[20 - lag : 76 - lag] + 0.3 * np.random.default_rng(6).standard_normal(56)
    found, r, p = lag_test(x, y, 6)
    assert found == lag and r > 0.8 and p < 0.03


def test_lagged_correlations_are_over_the_overlap() -> None:
    x, y = series(1, 40, 1)[0], series(1, 40, 2)[0]
    by_hand = {lag: np.corrcoef(x[: 40 - lag], y[lag:])[0, 1] for lag in range(8)}
    by_hand |= {-lag: np.corrcoef(x[lag:], y[: 40 - lag])[0, 1] for lag in range(1, 8)}
    lag, r, _ = lag_test(x, y, 7)
    assert lag == max(by_hand, key=lambda key: abs(by_hand[key])) and r == pytest.approx(by_hand[lag])


def test_a_chosen_lag_pays_for_the_choice() -> None:
    rng = np.random.default_rng(8)
    pairs = [(rng.standard_normal(56), rng.standard_normal(56)) for _ in range(300)]
    p = np.array([lag_test(x, y, 5)[2] for x, y in pairs])
    assert 0.02 < np.mean(p <= 0.05) < 0.09
    naive = [
        stats.pearsonr(x[: 56 - lag], y[lag:])[1] for x, y in pairs for lag in [lag_test(x, y, 5)[0]] if lag >= 0
    ]
    assert np.mean(np.array(naive) <= 0.05) > 0.25


@pytest.mark.parametrize("steps", [20, 21])
def test_random_phases_keep_the_spectrum(steps: int) -> None:
    y = series(1, steps, 7)[0]
    drawn = _random_phases(y, 30, 1)
    expected = np.abs(np.fft.rfft(y - y.mean()))
    for row in drawn:
        np.testing.assert_allclose(np.abs(np.fft.rfft(row)), expected, atol=1e-9)
    assert np.unique(drawn.round(6), axis=0).shape == (30, steps)
    assert lag_test(y, series(1, steps, 8)[0], 3) == lag_test(y, series(1, steps, 8)[0], 3)


def test_residuals_are_those_of_least_squares() -> None:
    x, controls = series(4, 30, 1), series(2, 30, 2)
    design = np.column_stack([np.ones(30), *controls])
    for row, left in zip(x, residuals(x, controls), strict=True):
        np.testing.assert_allclose(left, row - design @ np.linalg.lstsq(design, row, rcond=None)[0], atol=1e-9)
    assert (residuals(3 * controls[:1] + 1e6, controls) == 0).all()
    np.testing.assert_allclose(residuals(x, np.ones((1, 30))), x - x.mean(axis=1, keepdims=True))


def trending(steps: int, seed: int) -> np.ndarray:
    """Series, two by two, that share a learning curve and nothing else."""
    rng = np.random.default_rng(seed)
    curve = np.exp(-4 * np.arange(steps) / steps)
    noise = rng.standard_normal((200, 2, steps))
    for step in range(1, steps):
        noise[..., step] = 0.9 * noise[..., step - 1] + np.sqrt(1 - 0.81) * noise[..., step]
    return 10 * curve * np.array([1, -1])[:, None] + noise


@pytest.mark.parametrize("steps", [21, 56])
def test_a_shared_learning_curve_is_no_association(steps: int) -> None:
    pairs = trending(steps, 3)
    levels = shift_test(pairs[:, 0], pairs[:, 1])[1]
    found = np.array([changes_test(*pair)[1] for pair in pairs])
    assert (levels <= 0.05).mean() > 0.9 and (found <= 0.05).mean() <= 0.09
    by_trend = np.array([trend_test(*pair) for pair in pairs])
    assert (by_trend <= 0.05).mean() <= 0.12


def test_changes_that_go_together_are_found_and_written_out() -> None:
    pairs = trending(56, 4)
    pairs[:, 1] += 2 * pairs[:, 0]
    assert np.mean([changes_test(*pair)[1] <= 0.05 for pair in pairs]) > 0.95
    x, y = pairs[0]
    shapes = np.diff(smooth_trend(56)).T
    rest = [v - shapes @ np.linalg.lstsq(shapes, v, rcond=None)[0] for v in (np.diff(x), np.diff(y))]
    assert changes_test(x, y)[0] == pytest.approx(
        rest[0] @ rest[1] / np.sqrt((rest[0] ** 2).sum() * (rest[1] ** 2).sum())
    )


def test_smooth_or_short_series_have_no_test_of_changes() -> None:
    smooth, rough = np.linspace(0, 1, 30), np.random.default_rng(1).standard_normal(30)
    assert np.isnan(changes_test(smooth, rough)).all() and np.isnan(changes_test(rough[:9], rough[:9])).all()
    assert np.isnan(trend_test(rough[:9], rough[:9]))
