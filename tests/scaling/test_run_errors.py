from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradcascade.scaling.run_errors import HC3, ORDINARY, RUNS, SizeMeans, coefficient_errors, size_means
from gradcascade.scaling.run_means import RunMeans

SM: Any = pytest.importorskip("statsmodels.api")


def made(rng: np.random.Generator, scales: int, runs: int, sd: float | np.ndarray = 0.05) -> RunMeans:
    size = np.repeat(np.arange(scales), runs)
    x = np.linspace(13, 20, scales)[size]
    means = 0.2 * x + np.broadcast_to(sd, (scales,))[size] * rng.standard_normal((4, size.size))
    return RunMeans(x, means, size, 8)


def design(sizes: SizeMeans, terms: int = 2) -> np.ndarray:
    x = sizes.log_n - sizes.log_n.mean()
    return np.stack([x**power for power in range(terms)], axis=1)


@pytest.mark.parametrize(
    ("scales", "kinds", "method"), [(5, ["nonrobust"], ORDINARY), (14, ["HC3", "nonrobust"], HC3)]
)
@pytest.mark.parametrize("terms", [2, 3])
def test_errors_of_single_runs_are_those_of_statsmodels(
    scales: int, kinds: list[str], method: str, terms: int
) -> None:
    """Of many scales the larger of HC3 and the ordinary one."""
    sizes = size_means(made(np.random.default_rng(1), scales, 1))
    se, found = coefficient_errors(sizes, design(sizes, terms), terms - 1)
    lines = [SM.OLS(y, design(sizes, terms)) for y in sizes.means]
    known = [max(line.fit(cov_type=kind).bse[terms - 1] for kind in kinds) for line in lines]
    np.testing.assert_allclose(se, known, rtol=1e-9)
    assert found == method


def test_equally_noisy_scales_have_the_error_of_a_line_through_their_means() -> None:
    """With as many runs of every scale, and variances that agree, only the residuals of the line count."""
    sizes = size_means(made(np.random.default_rng(2), 4, 3))
    alike = SizeMeans(sizes.log_n, sizes.means, np.full_like(sizes.variance, 0.01), sizes.runs)
    se, method = coefficient_errors(alike, design(alike), 1)
    known = [SM.OLS(y, design(alike)).fit().bse[1] for y in alike.means]
    np.testing.assert_allclose(se, known, rtol=1e-9)
    assert method == RUNS


def test_noisy_small_scales_widen_the_interval_and_it_covers() -> None:
    """Small scales that vary ten times as much: the plain interval covers 89 %, this one what it says."""
    from scipy.stats import t

    rng = np.random.default_rng(3)
    inside, plain = [], []
    for _ in range(300):
        sizes = size_means(made(rng, 14, 3, np.geomspace(0.2, 0.02, 14)))
        slope = np.array([np.polyfit(sizes.log_n, y, 1)[0] for y in sizes.means]) - 0.2
        half = t.ppf(0.975, 12) * coefficient_errors(sizes, design(sizes), 1)[0]
        inside += (np.abs(slope) <= half).tolist()
        ordinary = [SM.OLS(y, design(sizes)).fit().bse[1] for y in sizes.means]
        plain += (np.abs(slope) <= t.ppf(0.975, 12) * np.array(ordinary)).tolist()
    assert 0.93 <= np.mean(inside) <= 0.97 and np.mean(plain) < 0.91


def test_runs_of_some_scales_serve_all_and_equal_runs_none() -> None:
    rng = np.random.default_rng(4)
    runs = made(rng, 5, 3)
    kept = (runs.size < 2) | (np.arange(15) % 3 == 0)
    some = size_means(RunMeans(runs.log_n[kept], runs.means[:, kept], runs.size[kept], 8))
    se, method = coefficient_errors(some, design(some), 1)
    assert method == RUNS and some.runs.tolist() == [3, 3, 1, 1, 1] and np.isfinite(se).all() and (se > 0).all()
    same = SizeMeans(some.log_n, some.means, np.where(some.runs > 1, 0.0, np.nan)[None].repeat(4, 0), some.runs)
    known = [SM.OLS(y, design(same)).fit().bse[1] for y in same.means]
    np.testing.assert_allclose(coefficient_errors(same, design(same), 1)[0], known, rtol=1e-9)
