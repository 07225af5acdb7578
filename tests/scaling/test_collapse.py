from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcascade.scaling.collapse import FORMS, LEAST, Curves, Dots, Profiles

PICO = (589_824, 9_437_184, 37_748_736, 150_994_944)
SMALL = (36_864, 147_456, 589_824, 2_359_296)


def branching(n: int, lifetime: float, rng: np.random.Generator, power: float = 1.0) -> list[int]:
    """A cascade whose log A_l / log A_0 is (1 - l / lifetime)^power, with Poisson offspring."""
    start = round(0.1 * n)
    profile = [start]
    while profile[-1] > 0 and len(profile) < lifetime:
        before, after = (max(1 - step / lifetime, 0.0) ** power for step in (len(profile) - 1, len(profile)))
        profile.append(int(rng.poisson(profile[-1] * math.exp(math.log(start) * (after - before)))))
    return profile if profile[-1] else profile[:-1]


def planted(
    sizes: tuple[int, ...], z: float, scale: float, repeats: int, power: float = 1.0, run_sd: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Active nodes (steps, scales, l) of cascades that last ``scale N^z``, and log N (steps, scales)."""
    rng = np.random.default_rng(0)
    profiles = [
        [branching(n, scale * n**z * math.exp(run_sd * rng.normal()), rng, power) for n in sizes]
        for _ in range(repeats)
    ]
    length = 1 + max(len(profile) for row in profiles for profile in row)
    counts = np.array([[profile + [0] * (length - len(profile)) for profile in row] for row in profiles], float)
    return counts, np.log(np.tile(np.array(sizes, float), (repeats, 1)))


def found(counts: np.ndarray, log_n: np.ndarray, form: str = "duration") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """z of least S, S there, and the slope of the free stretches."""
    profiles = Profiles.of(counts, np.ones(counts.shape[:2]), form)
    scales = counts.shape[1]
    curves, dots = Curves(profiles, log_n), Dots.of(profiles, np.arange(scales))
    z = curves.best(dots, scales)
    quality = curves.distances(dots, scales, z[:, None] * log_n).quality
    off = log_n - log_n.mean(axis=1, keepdims=True)
    return z, quality, (off * curves.free(z)).sum(axis=1) / (off**2).sum(axis=1)


def slow_quality(profiles: list[list[int]], sizes: tuple[int, ...], z: float, form: str) -> float:
    """S as Houdayer and Hartmann write it, with K, K_x, ... of the neighbours in every other set, less their bend."""
    sets = []
    for n, profile in zip(sizes, profiles, strict=True):
        points, variance = [], 0.0
        for step in range(1, len(profile)):
            if profile[step] < LEAST:
                break
            variance += 1 / profile[step]
            start = math.log(profile[0])
            y, unit = (math.log(profile[step]) / start, start) if form == "duration" else (
                math.log(profile[step]) - start,
                1.0,
            )  # fmt: skip
            points.append((step / n**z, y, variance / unit**2))
        sets.append(points)
    total, count = 0.0, 0
    for own, points in enumerate(sets):
        for x, y, variance in points:
            near = []
            for other, theirs in enumerate(sets):
                for at, (left, right) in enumerate(pairwise(theirs)):
                    if other != own and left[0] <= x < right[0]:
                        share = (x - left[0]) / (right[0] - left[0])
                        heights = [1.0 if form == "duration" else 0.0, *(y for _, y, _ in theirs)][at : at + 4]
                        below = share * (1 - share) / 2 * float(np.mean(np.diff(heights, 2)))
                        near += [(a, b - below, d) for a, b, d in (left, right)]
            if not near:
                continue
            k = sum(1 / d for _, _, d in near)
            kx, ky = sum(a / d for a, _, d in near), sum(b / d for _, b, d in near)
            kxx, kxy = sum(a * a / d for a, _, d in near), sum(a * b / d for a, b, d in near)
            delta = k * kxx - kx**2
            curve = (kxx * ky - kx * kxy) / delta + x * (k * kxy - kx * ky) / delta
            total += (y - curve) ** 2 / (variance + (kxx - 2 * x * kx + x * x * k) / delta)
            count += 1
    return total / count


@pytest.mark.parametrize("form", FORMS)
def test_quality_is_houdayer_and_hartmanns(form: str) -> None:
    counts, log_n = planted(SMALL, 0.17, 1.5, 3, power=1.4)
    profiles = Profiles.of(counts, np.ones(counts.shape[:2]), form)
    curves, dots = Curves(profiles, log_n), Dots.of(profiles, np.arange(4))
    for z in (0.031, 0.173, 0.307):
        fast = curves.distances(dots, 4, z * log_n).quality
        slow = [slow_quality([[int(v) for v in row if v] for row in step], SMALL, z, form) for step in counts]
        np.testing.assert_allclose(fast, slow, rtol=1e-9)


def test_a_planted_exponent_is_found_without_bias_and_s_is_one() -> None:
    """The issue asks for a bias of .003 and an SD of .001 at Pico's sizes."""
    counts, log_n = planted(PICO, 0.2, 0.5, 60)
    z, quality, slope = found(counts, log_n)
    assert abs(z.mean() - 0.2) < 0.0005
    assert z.std(ddof=1) < 0.001
    assert 0.8 < quality.mean() < 1.2
    assert abs(slope.mean() - 0.2) < 0.001
    assert slope.std(ddof=1) < 0.002


@pytest.mark.parametrize("power", [0.7, 1.5, 2.0])
def test_a_curved_profile_gives_the_same_exponent(power: float) -> None:
    z, quality, slope = found(*planted(PICO, 0.06, 4.0 * power, 20, power))
    assert abs(z.mean() - 0.06) < 0.0005
    assert abs(slope.mean() - 0.06) < 0.001
    assert 0.7 < quality.mean() < 1.2


def test_free_stretches_stay_efficient_where_runs_differ_and_the_least_s_does_not() -> None:
    counts, log_n = planted(PICO, 0.2, 0.5, 60, run_sd=0.05)
    z, quality, slope = found(counts, log_n)
    x = log_n[0] - log_n[0].mean()
    best_possible = 0.05 / np.sqrt((x**2).sum())
    assert slope.std(ddof=1) < 1.25 * best_possible
    assert z.std(ddof=1) > 2 * best_possible
    assert quality.mean() > 100  # counting noise is not what runs differ by
    profiles = Profiles.of(counts, np.ones(counts.shape[:2]), "duration")
    curves = Curves(profiles, log_n)
    shape = curves.distances(Dots.of(profiles, np.arange(4)), 4, curves.free(z))
    assert 0.6 < shape.quality.mean() < 1.2


def test_geometric_decay_of_one_rate_collapses_without_an_exponent() -> None:
    """As normal noise does: its durations grow only because log A_0 does."""
    rng = np.random.default_rng(1)
    profiles = [[branching(n, math.log(0.1 * n) / 1.4, rng) for n in PICO] for _ in range(30)]
    length = 1 + max(len(profile) for row in profiles for profile in row)
    counts = np.array([[p + [0] * (length - len(p)) for p in row] for row in profiles], float)
    log_n = np.log(np.tile(np.array(PICO, float), (30, 1)))
    decay, quality, _ = found(counts, log_n, "decay")
    assert abs(decay.mean()) < 0.0005
    assert 0.8 < quality.mean() < 1.2
    duration, _, _ = found(counts, log_n, "duration")
    assert 0.05 < duration.mean() < 0.08


@given(
    z=st.floats(-0.05, 0.4),
    lifetime=st.floats(8, 40),
    factor=st.floats(1e-3, 1e3),
    order=st.permutations(range(4)),
)
@settings(max_examples=25, deadline=None)
def test_a_planted_collapse_is_recovered_whatever_unit_n_has(
    z: float, lifetime: float, factor: float, order: list[int]
) -> None:
    """Only ratios of N enter, in any order of the scales."""
    sizes = np.array(SMALL, float)
    start, life = 0.1 * sizes, lifetime * (sizes / sizes[0]) ** z
    places = np.arange(400)
    counts = np.exp(np.log(start)[:, None] * (1 - places / life[:, None]))[None]
    counts[counts < 1] = 0
    log_n = np.log(sizes)[None]
    best, quality, slope = found(counts, log_n)
    assert best[0] == pytest.approx(z, abs=2e-4)
    assert slope[0] == pytest.approx(z, abs=2e-4)
    assert quality[0] < 0.01
    again = found(counts[:, order], log_n[:, order] + math.log(factor))
    assert again[0][0] == pytest.approx(best[0], abs=1e-4)
    assert again[2][0] == pytest.approx(slope[0], abs=1e-4)


def test_scales_that_do_not_overlap_have_no_exponent() -> None:
    counts = np.zeros((1, 3, 4))
    counts[0, :, 0] = 1000, 2000, 4000
    counts[0, :, 1] = 12, 11, 13
    z, quality, _ = found(counts, np.log([[1e4, 2e4, 4e4]]))
    assert np.isnan(z[0])
    assert np.isnan(quality[0])
