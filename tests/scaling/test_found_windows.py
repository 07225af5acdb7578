from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcascade.scaling import found_windows as module
from gradcascade.scaling.channels import channels
from gradcascade.scaling.found_windows import (
    FOUND_SCHEMA,
    _ends,
    _squares,
    find_windows,
    found_window,
    plateaus,
    searched,
)
from gradcascade.scaling.windows import default_window

Build = Callable[..., pl.DataFrame]


def shaped(steps: int, startup: int, drift: int, noise: float, seed: int = 1) -> np.ndarray:
    """A start-up that comes down to a plateau, and a drift that leaves it at step ``drift``."""
    place = np.arange(steps)
    shape = 3 * np.maximum(0, (startup - place) / max(startup, 1)) ** 2
    shape = shape - 2 * np.maximum(0, (place - drift) / max(steps - 1 - drift, 1))
    return shape + noise * np.random.default_rng(seed).standard_normal(steps)


def plateau(series: np.ndarray) -> tuple[int, int]:
    first, last = plateaus(series[None])[0].tolist()
    return first, last


def slow_plateau(series: np.ndarray) -> tuple[int, int]:
    """The rule for uncorrelated noise, one least squares after the other."""
    steps = len(series)
    place, scores = np.arange(steps), {}
    for first in (0, *range(3, steps)):
        for last in (steps - 1, *range(steps - 4, 0, -1)):
            if last - first + 1 < steps / 3:
                continue
            columns = [np.ones(steps)]
            if first:
                ramp = np.maximum(0, first - place) / first
                columns += [ramp, ramp**2]
            if last < steps - 1:
                columns.append(np.maximum(0, place - last) / (steps - 1 - last))
            design = np.column_stack(columns)
            rest = series - design @ np.linalg.lstsq(design, series, rcond=None)[0]
            penalty = (4 if first else 0) + (3 if last < steps - 1 else 0)
            scores[first, last] = steps * np.log((rest @ rest) / steps) + penalty * np.log(steps)
    return min(scores, key=lambda ends: scores[ends])


@pytest.mark.parametrize("seed", range(4))
def test_with_uncorrelated_noise_the_rule_written_out(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    series = shaped(36, 8, 27, 0.15, seed)
    monkeypatch.setattr(module, "_correlation", lambda *_: 0.0)
    monkeypatch.setattr(module, "CALM_STEPS", 0)
    assert plateau(series) == slow_plateau(series)


def slow_squares(series: np.ndarray, first: int, last: int, phi: float) -> float:
    """Generalised least squares: values and regressors divided by the root of the correlation matrix."""
    steps = len(series)
    place = np.arange(steps)
    ramp = np.maximum(0, first - place) / max(first, 1)
    drift = np.maximum(0, place - last) / max(steps - 1 - last, 1)
    design = np.column_stack([np.ones(steps), ramp, ramp**2, drift])
    root = np.linalg.cholesky(phi ** np.abs(place[:, None] - place) / (1 - phi**2))
    x, y = np.linalg.solve(root, design), np.linalg.solve(root, series)
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return float(rest @ rest)


@given(
    steps=st.integers(12, 40), phi=st.sampled_from([0.0, 0.3, 0.9]), rho=st.floats(0, 0.9), seed=st.integers(0, 99)
)
def test_residual_squares_are_those_of_generalised_least_squares(
    steps: int, phi: float, rho: float, seed: int
) -> None:
    series = shaped(steps, steps // 4, 3 * steps // 4, 0.3, seed)
    series[1:] += rho * series[:-1]
    first, last = _ends(steps)
    found = _squares(np.stack([series, -2 * series]), first, last, phi)
    assert found[1] == pytest.approx(4 * found[0], rel=1e-9)
    for i, j in np.random.default_rng(seed).integers([0, 0], [first.size, last.size], (8, 2)):
        if last[j] > first[i]:
            assert found[0, i, j] == pytest.approx(slow_squares(series, int(first[i]), int(last[j]), phi), rel=1e-9)


@pytest.mark.parametrize(("startup", "drift"), [(0, 59), (12, 59), (0, 44), (12, 44)])
def test_a_planted_plateau_is_found(startup: int, drift: int) -> None:
    first, last = plateau(shaped(60, startup, drift, 0.02))
    assert abs(first - startup) <= 3 and abs(last - drift) <= 3
    assert (first == 0) == (startup == 0) and (last == 59) == (drift == 59)


def test_ends_leave_a_third_and_long_series_get_a_grid() -> None:
    assert [ends.tolist() for ends in _ends(20)] == [[0, *range(3, 20)], [19, *range(16, 0, -1)]]
    assert all(ends.size < 65 for ends in _ends(1000))
    first, last = plateau(shaped(90, 50, 60, 0.02))
    assert last - first + 1 >= 30
    found = plateau(shaped(1000, 200, 700, 0.05))
    assert abs(found[0] - 200) <= 40 and abs(found[1] - 700) <= 40


def test_many_series_at_once_are_each_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    series = np.stack([shaped(40, 10, 30, noise, seed) for seed, noise in enumerate(rng.uniform(0.05, 1, 12))])
    series[3] = 0.2
    one_by_one = [plateau(values) for values in series]
    monkeypatch.setattr(module, "_CHUNK", 5)
    assert plateaus(series).tolist() == [list(ends) for ends in one_by_one]
    assert one_by_one[3] == (0, 39)


def planted(cascades: Build, startup: int = 12, drift: int = 44) -> pl.DataFrame:
    table = cascades(steps=range(0, 6000, 100), variants=("real", "N0"))
    shape = np.exp(shaped(60, startup, drift, 0.02))[(table["step"] // 100).to_numpy()]
    size = np.where(table["variant"] == "real", 1e-3 * table["n"].to_numpy() * shape, 50)
    return table.with_columns(size=pl.Series(size), duration=pl.lit(9))


def test_the_window_of_a_table_is_that_of_its_v_rel(cascades: Build) -> None:
    table = planted(cascades)
    found = find_windows(table)
    assert found.schema == FOUND_SCHEMA and found.height == 1
    row = found.row(0, named=True)
    real = channels(table).filter(pl.col("variant") == "real")
    series = real.group_by("step").agg(pl.col("v_rel").log().mean()).sort("step")
    first, last = plateau(series["v_rel"].to_numpy())
    assert (row["first"], row["last"]) == (100 * first, 100 * last)
    assert row["startup"] and row["drift"] and row["n_steps"] == 60 and row["reason"] is None
    assert found_window(found) == {("nano", "gradient"): (row["first"], row["last"])}


def test_a_clear_window_stays_under_small_shifts(cascades: Build) -> None:
    row = find_windows(planted(cascades)).row(0, named=True)
    assert row["first_low"] <= row["first"] <= row["first_high"] <= row["first_low"] + 500
    assert row["last_low"] <= row["last"] <= row["last_high"] <= row["last_low"] + 500


def test_what_cannot_be_searched_says_why(cascades: Build) -> None:
    table = cascades(steps=range(8))
    row = find_windows(table).row(0, named=True)
    assert (row["first"], row["last"]) == default_window(range(8))
    assert row["reason"] == "only 8 steps have all scales, a search needs 12; these are the last two thirds"
    alone = cascades(steps=range(30), variants=("N0",))
    assert "only 0 steps have all scales" in find_windows(alone)["reason"][0]
    equal = cascades(steps=range(30)).with_columns(size=pl.col("n") // 100, duration=pl.lit(9))
    row = find_windows(equal).row(0, named=True)
    assert (row["first"], row["last"], row["startup"], row["drift"]) == (0, 29, False, False)
    assert find_windows(table.head(0)).is_empty()


def correlated(phi: float, series: int, steps: int) -> np.ndarray:
    rng = np.random.default_rng(8)
    noise = rng.standard_normal((series, steps))
    for step in range(1, steps):
        noise[:, step] = phi * noise[:, step - 1] + np.sqrt(1 - phi**2) * noise[:, step]
    return noise


@pytest.mark.parametrize("phi", [0.9, 0.95])
def test_correlated_noise_has_neither_start_up_nor_drift(phi: float) -> None:
    """By the criterion alone, 19 and 41 % have one."""
    found, untold = searched(correlated(phi, 150, 60))
    assert (found != [0, 59]).any(axis=1).mean() <= 0.09
    assert untold.any(axis=1).mean() > 0.1


def test_a_start_up_that_cannot_be_told_is_said(cascades: Build) -> None:
    noise = correlated(0.95, 150, 60)
    chosen = int(np.argmax(searched(noise)[1][:, 0]))
    table = cascades(steps=range(60)).with_columns(duration=pl.lit(9))
    shape = pl.Series(np.exp(0.1 * noise[chosen][table["step"].to_numpy()]))
    row = find_windows(table.with_columns(size=pl.col("n") * 0.1 * shape)).row(0, named=True)
    assert row["startup"] is None and row["first"] == 0 and row["reason"] is None
