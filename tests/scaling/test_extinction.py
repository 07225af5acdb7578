from __future__ import annotations

import numpy as np
import pytest

from gradcascade.scaling.extinction import extinction_times


def slow_time(profile: list[int]) -> float:
    """The extinction time of one profile, the obvious way: numpy's weighted polynomial fit of the tail."""
    large = [place for place, count in enumerate(profile) if count >= 30]
    first = min(large[-1] if large else 0, max(len(profile) - 3, 0))
    places, counts = np.arange(len(profile))[first:], np.array(profile[first:])
    slope, level = np.polyfit(places, np.log(counts), 1, w=np.sqrt(counts))  # polyfit squares its weights
    return float((np.log(0.5) - level) / slope)


def test_a_geometric_decay_is_extinct_where_half_a_node_is_left() -> None:
    profile = np.array([4096, 1024, 256, 64, 16, 4, 1])
    assert extinction_times(profile, np.array([7])) == pytest.approx([6.5])


def test_matches_a_weighted_polynomial_fit() -> None:
    rng = np.random.default_rng(5)
    profiles = [sorted(rng.integers(1, 10**6, size=size).tolist(), reverse=True) for size in range(2, 40)]
    profiles += [[50, 3], [5, 4, 3, 3, 2, 2, 1, 1, 1], [900, 500, 29, 31, 12, 1]]
    found = extinction_times(np.concatenate(profiles), np.array([len(profile) for profile in profiles]))
    np.testing.assert_allclose(found, [slow_time(profile) for profile in profiles], rtol=1e-9)
