"""The rules by themselves: on ways whose geometry is known, and as laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcascade.sources.audit.rules import late, misplaced, outliers, swapped


def distances(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """To the next point, to the one after it, and to the last."""

    def between(lag: int) -> np.ndarray:
        return np.linalg.norm(points[lag:] - points[:-lag], axis=1)

    return between(1), between(2), np.linalg.norm(points - points[-1], axis=1)


def walk(seed: int, count: int = 14, dimension: int = 400, decay: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    sizes = decay ** np.arange(count)[:, None]
    return np.cumsum(sizes * rng.normal(0, 1, (count, dimension)), axis=0)


def straight(count: int = 14) -> np.ndarray:
    return np.arange(count, dtype=float)[:, None] * np.ones(7)


def fluctuation(seed: int, count: int = 14, dimension: int = 400) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (count, dimension))


ORDERLY = {
    "walk": walk(1),
    "slowing": walk(2, decay=0.7),
    "hastening": walk(3, decay=1.4),
    "straight": straight(),
    "fluctuation": fluctuation(4),
    "resting": np.zeros((9, 3)),
}


def judged(points: np.ndarray) -> dict[str, list[int]]:
    one, two, last = distances(points)
    spans = np.ones(len(one))
    found = {
        "misplaced": misplaced(one, two),
        "swapped": swapped(one, two),
        "late": late(last, one, spans),
        "outliers": outliers(one, spans),
    }
    return {name: np.flatnonzero(values).tolist() for name, values in found.items() if values.any()}


@pytest.mark.parametrize("name", ORDERLY)
def test_an_orderly_way_breaks_no_rule(name: str) -> None:
    assert judged(ORDERLY[name]) == {}


@given(st.integers(0, 10_000), st.floats(0.6, 1.6), st.integers(3, 30))
def test_no_walk_breaks_a_rule(seed: int, decay: float, count: int) -> None:
    assert judged(walk(seed, count, decay=decay)) == {}


@given(st.integers(0, 10_000), st.integers(1, 12))
def test_a_stranger_on_the_way_is_misplaced(seed: int, place: int) -> None:
    points = walk(seed)
    points[place] = np.random.default_rng(seed + 1).normal(0, 30, 400)
    assert judged(points)["misplaced"] == [place]


@given(st.integers(0, 10_000), st.integers(1, 11))
def test_neighbours_that_are_exchanged_are_found(seed: int, place: int) -> None:
    for points in (walk(seed), straight() + np.random.default_rng(seed).normal(0, 0.05, (14, 7))):
        points[[place, place + 1]] = points[[place + 1, place]]
        one, two, _ = distances(points)
        assert np.flatnonzero(swapped(one, two)).tolist() == [place]


@given(st.integers(0, 10_000), st.integers(1, 9))
def test_a_late_checkpoint_is_late(seed: int, place: int) -> None:
    points = walk(seed)
    points[place] = (points[12] + points[13]) / 2
    one, _, last = distances(points)
    assert np.flatnonzero(late(last, one, np.ones(13))).tolist() == [place]


@given(st.integers(0, 10_000), st.integers(1, 8))
def test_a_late_stretch_at_the_start_is_late(seed: int, length: int) -> None:
    points = walk(seed)
    points[:length] = points[-1] + 0.01 * points[:length]
    one, _, last = distances(points)
    assert np.flatnonzero(late(last, one, np.ones(13))).tolist() == list(range(length))


def test_a_start_near_the_end_is_no_late_stretch_without_a_leap() -> None:
    angle = np.linspace(0, 1.9 * np.pi, 20)
    round_trip = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    one, _, last = distances(round_trip)
    assert last[0] < last[10] / 2
    assert not late(last, one, np.ones(19)).any()


@given(st.integers(0, 10_000), st.integers(0, 11), st.sampled_from([1 / 100, 100]))
def test_a_leap_is_an_outlier(seed: int, place: int, factor: float) -> None:
    rng = np.random.default_rng(seed)
    norms = np.exp(np.linspace(0, -2, 12) + rng.normal(0, 0.1, 12))
    assert not outliers(norms, np.ones(12)).any()
    norms[place] *= factor
    assert np.flatnonzero(outliers(norms, np.ones(12))).tolist() == [place]


@given(
    st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=12),
    st.floats(1e-6, 1e6),
    st.lists(st.integers(1, 10_000), min_size=12, max_size=12),
)
def test_no_rule_depends_on_the_unit(norms: list[float], unit: float, spans: list[int]) -> None:
    one = np.array(norms)
    length = spans[: len(one)]
    assert np.array_equal(outliers(one, length), outliers(one * unit, length))
    two = (one[:-1] + one[1:]) / np.linspace(1, 4, len(one) - 1)
    assert np.array_equal(misplaced(one, two), misplaced(one * unit, two * unit))
    assert np.array_equal(swapped(one, two), swapped(one * unit, two * unit))


def test_what_is_doubtful_is_neither_judged_nor_used() -> None:
    norms = np.array([1.0, 1.1, 50.0, 60.0, 1.2, 1.0, 1.1])
    doubtful = np.array([False, False, True, True, False, False, False])
    assert not outliers(norms, np.ones(7)).any()  # the two hide each other
    assert not outliers(norms, np.ones(7), doubtful).any()
    norms[4] = 40.0
    assert np.flatnonzero(outliers(norms, np.ones(7), doubtful)).tolist() == [4]


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_short_series_are_judged_without_error(count: int) -> None:
    one, two = np.ones(count), np.ones(max(count - 1, 0))
    assert misplaced(one, two).shape == swapped(one, two).shape == (count + 1,)
    assert outliers(one, one).shape == (count,)
    assert late(np.ones(count + 1), one, one).shape == (count + 1,)
