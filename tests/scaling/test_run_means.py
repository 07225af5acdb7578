from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradcascade.scaling.run_means import run_means
from gradcascade.tables.reasons import told

SM: Any = pytest.importorskip("statsmodels.api")
X = np.log([589_824.0, 9_437_184.0, 37_748_736.0, 150_994_944.0])


def planted(rng: np.random.Generator, runs: int, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log N, logarithms of two channels and scales, with effects of steps that missing ones would shift."""
    scale = np.repeat(np.arange(4), runs)
    x = np.tile(X[scale], (steps, 1))
    logs = 0.2 * x + rng.normal(size=(2, 1, 4 * runs)) + 3 * rng.normal(size=(2, steps, 1))
    return x, logs + 0.1 * rng.normal(size=logs.shape), scale


def test_means_of_complete_runs_are_plain_means() -> None:
    x, logs, scale = planted(np.random.default_rng(1), 2, 9)
    found = run_means(x, logs, scale)
    np.testing.assert_allclose(found.means, logs.mean(axis=1), rtol=1e-13)
    assert (found.steps, found.sizes, found.reason) == (9, 4, None)


def test_missing_cascades_are_made_up_for_as_by_a_two_way_model() -> None:
    rng = np.random.default_rng(2)
    x, logs, scale = planted(rng, 2, 8)
    x[rng.random(x.shape) < 0.2] = np.nan
    there = np.isfinite(x)
    found = run_means(x, np.where(there, logs, np.nan), scale)
    steps, runs = np.nonzero(there)
    effects = np.vstack([np.eye(7), -np.ones(7)])  # they add up to zero over the window
    design = np.hstack([np.eye(8)[runs], effects[steps]])
    for channel in range(2):
        known = SM.OLS(logs[channel][there], design).fit()
        np.testing.assert_allclose(found.means[channel], known.params[:8], rtol=1e-9)


def test_scales_of_one_n_are_runs_of_one_size() -> None:
    x, logs, _ = planted(np.random.default_rng(3), 3, 6)
    found = run_means(x, logs, np.arange(12))
    assert found.sizes == 4 and found.size.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_rare_scales_and_runs_do_not_count_and_separate_ones_cannot() -> None:
    x, logs, scale = planted(np.random.default_rng(4), 2, 10)
    x[4:, scale == 0] = np.nan  # at four of ten steps
    x[3:, 2] = np.nan  # three of the ten steps of its scale
    found = run_means(x, logs, scale)
    assert found.sizes == 3 and found.size.size == 5
    x, logs, scale = planted(np.random.default_rng(5), 1, 10)
    x[5:, :2], x[:5, 2:] = np.nan, np.nan
    assert (
        told(run_means(x, logs, scale).reason)["reason"]
        == "only 2 scales are left that share steps of the window with each other"
    )
