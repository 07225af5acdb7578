from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg, optimize, stats

from gradcascade.scaling import series_mean
from gradcascade.scaling.series_mean import mean_half_widths


def slow_half_width(x: np.ndarray, confidence: float) -> float:
    """The mixture written out with full covariance matrices."""
    T = len(x)
    y, ones = x - x.mean(), np.ones(T)
    spacing = np.gradient(series_mean._PHI) * (1 - series_mean._PHI**2) ** -0.3
    logs, scales = [], []
    for phi, gap in zip(series_mean._PHI, spacing, strict=True):
        for noise, prior in series_mean._NOISE.items():
            covariance = linalg.toeplitz(phi ** np.arange(T)) + noise * np.eye(T)
            inverse = np.linalg.inv(covariance)
            A, B, C = ones @ inverse @ ones, ones @ inverse @ y, y @ inverse @ y
            rest = C - B**2 / A
            determinant = np.linalg.slogdet(covariance)[1]
            logs.append(np.log(gap * prior) - determinant / 2 - np.log(A) / 2 - (T - 1) / 2 * np.log(rest))
            scales.append(np.sqrt(ones @ covariance @ ones / T**2 * rest / (T - 1)))
    weight = np.exp(np.array(logs) - max(logs))
    weight /= weight.sum()
    scales = np.array(scales)

    def missed(h: float) -> float:
        return weight @ stats.t.cdf(h / scales, T - 1) - 0.5 - confidence / 2

    return float(optimize.brentq(missed, 0, 100 * scales.max()))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("steps", [5, 12, 56])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_matches_full_covariance_matrices(steps: int, confidence: float) -> None:
    series = np.random.default_rng(steps).standard_normal((4, steps)).cumsum(axis=1)
    series[1] = np.random.default_rng(1).standard_normal(steps)
    expected = [slow_half_width(x, confidence) for x in series]
    np.testing.assert_allclose(mean_half_widths(series, confidence), expected, rtol=1e-7)


def test_many_series_in_chunks_are_each_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    series = np.random.default_rng(2).standard_normal((23, 20))
    together = mean_half_widths(series)
    monkeypatch.setattr(series_mean, "_CHUNK", 1)
    np.testing.assert_allclose(mean_half_widths(series), together, rtol=1e-12)


def test_does_not_depend_on_units_or_order_of_time() -> None:
    series = np.random.default_rng(2).standard_normal((3, 30)).cumsum(axis=1)
    half = mean_half_widths(series)
    np.testing.assert_allclose(mean_half_widths(-1e-9 * series + 1e-3), 1e-9 * half, rtol=1e-5)
    np.testing.assert_allclose(mean_half_widths(series[:, ::-1]), half, rtol=1e-7)


def test_correlation_widens_the_interval_and_white_noise_has_the_usual_one() -> None:
    rng = np.random.default_rng(4)
    white = rng.standard_normal((400, 60))
    usual = stats.t.ppf(0.975, 59) * white.std(axis=1, ddof=1) / np.sqrt(60)
    assert np.median(mean_half_widths(white) / usual) == pytest.approx(1.1, abs=0.1)
    slow = rng.standard_normal((400, 60)).cumsum(axis=1)
    usual = stats.t.ppf(0.975, 59) * slow.std(axis=1, ddof=1) / np.sqrt(60)
    assert np.median(mean_half_widths(slow) / usual) > 4


def test_constant_and_short_series() -> None:
    assert mean_half_widths(np.full((2, 20), 0.3)).tolist() == [0.0, 0.0]
    assert np.isnan(mean_half_widths(np.zeros((1, 4)))).all()
    assert mean_half_widths(np.zeros((0, 20))).size == 0
