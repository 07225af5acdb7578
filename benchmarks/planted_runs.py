"""Families whose runs differ for good, for the scripts beside this one: as arrays, and as tables of cascades."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from calibration import FIVE, FOUR, autoregression
from scipy import stats

from gradcascade.scaling.run_errors import SizeMeans, size_means
from gradcascade.scaling.run_means import run_means
from gradcascade.scaling.window_means import slopes_across, window_intervals

FOURTEEN = np.geomspace(5e5, 2e9, 14).astype(np.int64).tolist()
SIX = np.geomspace(5e5, 2e9, 6).astype(np.int64).tolist()
SIZES = {4: FOUR, 5: FIVE, 6: SIX, 14: FOURTEEN}
DESIGNS = ((4, 1), (4, 3), (5, 9), (14, 1), (14, 3))
Z = 0.2
ALIKE = 20
"""Families that miss the same cascades, so that they are answered at once."""


def spreads(scales: int) -> dict[str, np.ndarray]:
    """Standard deviations of runs by scale, small scales first."""
    falling = np.geomspace(0.2, 0.02, scales)
    return {"5 % at every scale": np.full(scales, 0.05), "20 to 2 %": falling, "2 to 20 %": falling[::-1]}


def centred(scales: int) -> np.ndarray:
    return np.log(SIZES[scales]) - np.log(SIZES[scales]).mean()


def durations(
    rng: np.random.Generator,
    repetitions: int,
    scales: int,
    runs: int = 1,
    *,
    run_sd: float | np.ndarray = 0.05,
    scale_sd: float = 0.0,
    phi: float = 0.6,
    steps: int = 12,
    noise: float = 0.08,
    z: float = Z,
    bend: float = 0.0,
    jump: float = 0.0,
    rounded: bool = True,
    law: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Log durations with planted exponents, shape (repetitions, scales, runs, steps).

    ``run_sd`` is what a run keeps of its own over all steps, ``scale_sd`` what all runs of a scale share off the law,
    ``jump`` one change of a run's level at a random step, ``law`` what the law of each scale has besides.
    """
    x = centred(scales)
    shape = (repetitions, scales, runs, steps)
    log = np.log(15) + (z * x + bend * x**2 + law)[:, None, None] + noise * autoregression(rng, phi, shape)
    log = log + np.broadcast_to(run_sd, (scales,))[:, None, None] * rng.standard_normal((*shape[:3], 1))
    log = log + scale_sd * rng.standard_normal((*shape[:2], 1, 1))
    if jump:
        later = np.arange(steps) >= rng.integers(0, steps, (*shape[:3], 1))
        log = log + jump * rng.standard_normal((*shape[:3], 1)) * later
    return np.log(np.maximum(np.rint(np.exp(log)), 1)) if rounded else log


def sizes_of(
    rng: np.random.Generator, repetitions: int, scales: int, runs: int, phi: float, steps: int, noise: float = 0.08
) -> np.ndarray:
    """Log sizes, of D = 1, whose noise is a fifth of that of durations."""
    noisy = 0.2 * noise * autoregression(rng, phi, (repetitions, scales, runs, steps))
    return np.log(0.13 * np.array(SIZES[scales]))[:, None, None] + noisy


def families(
    rng: np.random.Generator,
    repetitions: int,
    scales: int,
    runs: int = 1,
    *,
    variant: str = "real",
    **settings: object,
) -> pl.DataFrame:
    """The same as a table of cascades, a family for each repetition."""
    log = durations(rng, repetitions, scales, runs, **settings)  # pyright: ignore[reportArgumentType]
    phi, steps = settings.get("phi", 0.6), log.shape[3]
    size = np.rint(np.exp(sizes_of(rng, repetitions, scales, runs, float(phi), steps)))  # pyright: ignore[reportArgumentType]
    index = np.indices(log.shape).reshape(4, -1)
    return pl.DataFrame(
        {
            "family": pl.Series(np.char.zfill(np.arange(repetitions).astype(str), 5))[index[0]],
            "field": "gradient",
            "variant": variant,
            "scale": pl.Series([f"s{k:02}" for k in range(scales)])[index[1]],
            "run": pl.Series([str(k) for k in range(runs)])[index[2]],
            "step": 1000 * (index[3] + 1),
            "n": np.array(SIZES[scales])[index[1]],
            "size": size.ravel(),
            "duration": np.exp(log).ravel(),
            "ceiling": False,
        }
    )


def points(logs: np.ndarray, scales: int, there: np.ndarray | None = None, alone: bool = False) -> SizeMeans:
    """One point per scale of all families at once, as one family's channels are answered.

    ``there`` (scales, runs, steps) says which cascades these families have; ``alone`` gives every run a scale of its
    own, as seeds under names of their own.
    """
    count, _, runs, steps = logs.shape
    x = np.broadcast_to(np.log(SIZES[scales])[:, None, None], logs.shape[1:])
    x = x if there is None else np.where(there, x, np.nan)
    scale = np.arange(scales * runs) if alone else np.repeat(np.arange(scales), runs)
    x, y = x.reshape(-1, steps).T, logs.reshape(count, -1, steps).transpose(0, 2, 1)
    kept = np.isfinite(x).any(axis=0)
    means = run_means(x[:, kept], y[:, :, kept], scale[kept])
    if means.reason:
        raise ValueError(means.reason)
    return size_means(means)


def across(found: SizeMeans, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Slopes and half widths across scales."""
    value, se, _ = slopes_across(found)
    return value, stats.t.ppf(0.5 + confidence / 2, found.log_n.size - 2) * se


def gaps(
    rng: np.random.Generator, repetitions: int, shape: tuple[int, int, int], cascades: float, runs: float
) -> Iterator[tuple[slice, np.ndarray]]:
    """Which cascades :data:`ALIKE` families at a time have; of every scale at least one run."""
    for first in range(0, repetitions, ALIKE):
        there = rng.random(shape) >= cascades
        lost = rng.random(shape[:2]) < runs
        lost[np.arange(shape[0]), rng.integers(0, shape[1], shape[0])] = False
        yield slice(first, min(first + ALIKE, repetitions)), there & ~lost[:, :, None]


def check() -> None:
    """Fail unless families answered at once are answered as tables of cascades are."""
    for scales, runs in ((4, 1), (4, 3), (14, 1), (14, 3)):
        table = families(np.random.default_rng(1), 3, scales, runs)
        logs = durations(np.random.default_rng(1), 3, scales, runs)
        there = np.random.default_rng(2).random(logs.shape[1:]) >= 0.2
        part = table.filter(pl.Series(np.broadcast_to(there, logs.shape).ravel()))
        for rows, mask in ((table, None), (part, there)):
            known = window_intervals(rows, (0, 10**9), along=False).filter(pl.col("exponent") == "z").sort("family")
            value, half = across(points(logs, scales, mask))
            np.testing.assert_allclose(value, known["scales_value"].to_numpy(), rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(half, (known["scales_high"] - known["scales_value"]).to_numpy(), rtol=1e-9)
