"""How often the intervals, tests and verdicts are right, on planted cascades; prints a chapter of docs/validation.md.

python benchmarks/calibration.py [--repetitions 2000] [--only steps,means,...]

Every repetition is one family in one table of cascades, so that what is measured is what a user runs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable

import numpy as np
import polars as pl
from scipy.signal import lfilter

from gradcascade.scaling.compressibility import compressibility_null
from gradcascade.scaling.curvature import curvature
from gradcascade.scaling.exponents import fit_exponents
from gradcascade.scaling.weighted import weighted_exponents
from gradcascade.scaling.window_means import window_intervals

FOUR = [589_824, 9_437_184, 37_748_736, 150_994_944]
FIVE = [14_067_712, 30_494_720, 70_426_624, 162_322_944, 405_334_016]
SIZES = {4: FOUR, 5: FIVE}
STEPS = {4: 56, 5: 70}


def autoregression(rng: np.random.Generator, phi: float, shape: tuple[int, ...]) -> np.ndarray:
    """Gaussian first-order autoregressions of variance one along the last axis, stationary from the first step."""
    shocks = rng.standard_normal(shape) * np.sqrt(1 - phi**2)
    shocks[..., 0] /= np.sqrt(1 - phi**2)
    return np.asarray(lfilter([1.0], [1.0, -phi], shocks, axis=-1))


def planted(
    rng: np.random.Generator,
    repetitions: int,
    scales: int,
    *,
    phi: float = 0.0,
    z: float = 0.2,
    D: float = 1.0,
    level: float = 15.0,
    noise: float | np.ndarray = 0.08,
    run_noise: float = 0.0,
    rounded: str = "nearest",
    steps: int | None = None,
    variant: str = "real",
    white: float = 0.0,
    replicates: int = 1,
) -> pl.DataFrame:
    """Cascades with planted exponents: one family for each repetition.

    ``level`` is the duration at the geometric mean of the sizes, ``noise`` the standard deviation of its logarithm
    (of all scales, or of each), ``white`` that of a part of it without memory, ``run_noise`` that of a deviation a
    scale keeps over all steps; the size has a fifth of the noise. Durations are rounded to the nearest step, up, or
    not at all.
    """
    n = np.array(SIZES[scales])
    steps = steps or STEPS[scales]
    x = np.log(n) - np.log(n).mean()
    shape = (repetitions, scales, steps)
    sd = np.broadcast_to(noise, (scales,))[:, None]
    total = sd * autoregression(rng, phi, shape) + run_noise * rng.standard_normal((repetitions, scales, 1))
    log_duration = (np.log(level) + z * x[:, None] + total)[..., None]
    log_duration = log_duration + white * rng.standard_normal((*shape, replicates))
    log_size = (np.log(0.13 * n)[:, None] + (D - 1) * x[:, None] + 0.2 * sd * autoregression(rng, phi, shape))[
        ..., None
    ]
    log_size = log_size + 0.2 * white * rng.standard_normal((*shape, replicates))
    duration = np.exp(log_duration)
    if rounded == "nearest":
        duration = np.maximum(np.rint(duration), 1)
    elif rounded == "up":
        duration = np.ceil(duration)
    index = np.indices(duration.shape).reshape(4, -1)
    return pl.DataFrame(
        {
            "family": pl.Series(np.char.zfill(np.arange(repetitions).astype(str), 5))[index[0]],
            "field": "gradient",
            "variant": variant,
            "scale": pl.Series([f"s{k}" for k in range(scales)])[index[1]],
            "step": 1000 * (index[2] + 1),
            "replicate": index[3],
            "n": n[index[1]],
            "size": np.rint(np.exp(log_size)).ravel(),
            "duration": duration.ravel(),
            "ceiling": False,
        }
    )


def covered(table: pl.DataFrame, low: str, high: str, truth: float) -> float:
    """Share of the intervals that contain the truth, in percent."""
    return 100 * table.select(pl.lit(truth).is_between(pl.col(low), pl.col(high)).mean()).item()


def heading(words: str, columns: Iterable[str]) -> None:
    names = list(columns)
    print(f"\n{words}\n\n| {' | '.join(names)} |\n| {' | '.join('---' for _ in names)} |", flush=True)


def line(*cells: object) -> None:
    print(
        "| " + " | ".join(f"{cell:.1f}" if isinstance(cell, float) else str(cell) for cell in cells) + " |",
        flush=True,
    )


def per_step(repetitions: int) -> None:
    """Intervals of single steps."""
    heading(
        "Intervals of single steps, covering the planted exponent (%); curvature and R2 above its null are the "
        "shares found where there is none (5 % is right; the R2 at a planted z of 0):",
        ["scales", "durations", "noise", "z", "D", "delta", "weighted z", "curvature", "R2 above null"],
    )
    cases = [(4, 15.0, "nearest"), (5, 15.0, "nearest"), (4, 8.0, "nearest"), (5, 8.0, "nearest"), (4, 8.0, "up")]
    for number, (scales, level, rounded) in enumerate(cases):
        rng = np.random.default_rng([1, number])
        table = planted(rng, repetitions, scales, level=level, rounded=rounded, steps=2, z=0.1)
        fits = fit_exponents(table)
        shares = [
            covered(fits.filter(pl.col("exponent") == name), "low", "high", truth)
            for name, truth in (("z", 0.1), ("D", 1.0), ("delta", -0.1))
        ]
        noisy = planted(
            rng, repetitions // 10, scales, z=0.1, level=level, rounded=rounded, noise=0.0, steps=20,
            white=0.1, replicates=4,
        )  # fmt: skip
        weights = weighted_exponents(noisy).filter(pl.col("exponent") == "z")
        bends = curvature(table).filter(pl.col("exponent") == "z").drop_nulls("p")
        flat = planted(rng, repetitions, scales, level=level, rounded=rounded, steps=2, z=0.0)
        r2 = compressibility_null(fit_exponents(flat)).filter(pl.col("exponent") == "z").drop_nulls("exceeds")
        line(
            scales, f"about {level:g}, rounded {rounded if rounded == 'up' else 'to nearest'}", "8 %", *shares,
            covered(weights, "low", "high", 0.1), 100 * bends.select((pl.col("p") < 0.05).mean()).item(),
            100 * r2.select(pl.col("exceeds").mean()).item(),
        )  # fmt: skip


def window_means(repetitions: int) -> None:
    """Intervals of window means."""
    heading(
        "Intervals of window means, covering the planted z (%), and their median half widths. The naive interval "
        "divides the SD by the root of the steps; the block one is the bootstrap error with the normal quantile:",
        [
            "scales",
            "steps",
            "case",
            "along training",
            "across scales",
            "block",
            "naive",
            "half width along",
            "across",
        ],
    )
    cases: list[tuple[str, dict[str, object]]] = [(f"phi {phi:g}", {"phi": phi}) for phi in (0.0, 0.3, 0.6, 0.8, 0.9)]
    cases += [
        ("phi 0.6, durations about 8", {"phi": 0.6, "level": 8.0}),
        ("phi 0.6, durations about 8 rounded up", {"phi": 0.6, "level": 8.0, "rounded": "up"}),
        ("phi 0.6 and as much white noise", {"phi": 0.6, "white": 0.08}),
        ("phi 0.9 and as much white noise", {"phi": 0.9, "white": 0.08}),
        ("phi 0.6, noise of the scales 1:2:3:4", {"phi": 0.6, "noise": 1}),
        ("phi 0.6, runs differ by 4 %", {"phi": 0.6, "run_noise": 0.04}),
    ]
    for scales in (4, 5):
        for number, (words, settings) in enumerate(cases):
            if settings.get("noise") is not None:
                settings = settings | {"noise": 0.16 * np.arange(1, scales + 1) / scales}
            rng = np.random.default_rng([2, scales, number])
            table = planted(rng, repetitions, scales, **settings)  # pyright: ignore[reportArgumentType]
            found = window_intervals(table, (0, 10**9)).filter(pl.col("exponent") == "z")
            mean, sd, root = pl.col("mean"), pl.col("sd"), pl.col("n_steps").sqrt()
            found = found.with_columns(
                b0=mean - 1.96 * pl.col("se"), b1=mean + 1.96 * pl.col("se"),
                n0=mean - 2.0 * sd / root, n1=mean + 2.0 * sd / root,
            )  # fmt: skip
            widths = [
                f"{found.select((pl.col(high) - pl.col(low)).median() / 2).item():.4f}"
                for low, high in (("low", "high"), ("scales_low", "scales_high"))
            ]
            ends = (("low", "high"), ("scales_low", "scales_high"), ("b0", "b1"), ("n0", "n1"))
            line(scales, STEPS[scales], words, *(covered(found, *pair, 0.2) for pair in ends), *widths)


PARTS: dict[str, Callable[[int], None]] = {"steps": per_step, "means": window_means}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--only", default=",".join(PARTS))
    arguments = parser.parse_args()
    for part in arguments.only.split(","):
        begun = time.perf_counter()
        PARTS[part](arguments.repetitions)
        print(f"\n{arguments.repetitions} repetitions each, {time.perf_counter() - begun:.0f} s.", flush=True)
