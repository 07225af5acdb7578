from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.signal import lfilter

from gradcascade.scaling.bootstrap import autocovariances, block_errors, block_lengths


def correlated(phi: float, count: int, steps: int, seed: int = 0) -> np.ndarray:
    shocks = np.random.default_rng(seed).standard_normal((count, steps + 200))
    return np.asarray(lfilter([1.0], [1.0, -phi], shocks, axis=1))[:, 200:]


def slow_length(x: np.ndarray) -> int:
    """Politis and White's rule for one series, written down as in the paper."""
    T = len(x)
    d = x - x.mean()
    R = [sum(d[i] * d[i + k] for i in range(T - k)) / T for k in range(T)]
    K = max(5, math.ceil(math.sqrt(math.log10(T))))
    furthest = min(math.ceil(math.sqrt(T)) + K, T - 1)
    quiet = [abs(R[k] / R[0]) < 2 * math.sqrt(math.log10(T) / T) for k in range(1, furthest + 1)]
    for m in range(furthest - K + 1):
        if all(quiet[m : m + K]):
            break
    else:
        m = max(k for k in range(1, furthest + 1) if not quiet[k - 1])
    M = min(2 * max(m, 1), furthest)
    flat_top = [1.0 if k / M <= 0.5 else max(0.0, 2 * (1 - k / M)) for k in range(furthest + 1)]
    G = sum(2 * flat_top[k] * k * R[k] for k in range(1, furthest + 1))
    g0 = R[0] + sum(2 * flat_top[k] * R[k] for k in range(1, furthest + 1))
    b = 1.0 if g0 <= 0 else (2 * G**2 / (4 / 3 * g0**2)) ** (1 / 3) * T ** (1 / 3)
    return int(np.clip(round(b), 1, math.ceil(min(3 * math.sqrt(T), T / 3))))


@pytest.mark.parametrize("phi", [-0.5, 0.0, 0.5, 0.9])
@pytest.mark.parametrize("steps", [7, 56, 125])
def test_block_length_matches_the_rule_written_out(phi: float, steps: int) -> None:
    series = correlated(phi, 40, steps)
    assert block_lengths(series).tolist() == [slow_length(x) for x in series]


def test_longer_memory_longer_blocks() -> None:
    means = [block_lengths(correlated(phi, 300, 400)).mean() for phi in (0.0, 0.5, 0.9)]
    assert means[0] < 4 < means[1] < means[2]


def test_error_of_single_steps_is_the_usual_one() -> None:
    x = correlated(0.5, 5, 30)
    np.testing.assert_allclose(block_errors(x, np.ones(5, dtype=np.int64)), x.std(axis=1, ddof=1) / math.sqrt(30))


def test_error_is_that_of_drawn_blocks() -> None:
    x = correlated(0.6, 1, 60, seed=3)
    rng, length, blocks = np.random.default_rng(1), 6, 10
    first = rng.integers(0, 55, size=(40_000, blocks))
    drawn = x[0][first[:, :, None] + np.arange(length)].mean(axis=(1, 2))
    found = block_errors(x, np.array([length]))[0]
    assert found * math.sqrt((blocks - 1) / blocks) == pytest.approx(drawn.std(), rel=0.02)


def test_error_grows_to_that_of_a_correlated_mean() -> None:
    phi, steps = 0.5, 2000
    x = correlated(phi, 200, steps)
    true = 1 / (1 - phi) / math.sqrt(steps)
    assert block_errors(x, block_lengths(x)).mean() == pytest.approx(true, rel=0.1)


def test_short_and_constant_series() -> None:
    assert block_lengths(np.ones((2, 50))).tolist() == [1, 1]
    assert block_errors(np.ones((1, 50)), np.array([1])).tolist() == [0.0]
    assert block_lengths(np.zeros((1, 2))).tolist() == [1]
    assert np.isnan(block_errors(np.zeros((1, 3)), np.array([2]))).all()


def test_autocovariances_match_numpy() -> None:
    x = correlated(0.4, 3, 20)
    found = autocovariances(x, 4)
    for row, values in zip(x, found, strict=True):
        d = row - row.mean()
        np.testing.assert_allclose(values, np.correlate(d, d, "full")[19:24] / 20)
