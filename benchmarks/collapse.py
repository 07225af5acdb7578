"""How well one step finds a planted z: by n_steps, by the extinction time, and by the collapse of whole profiles.

    python benchmarks/collapse.py [--repetitions 2000]

Cascades are branching processes with Poisson offspring: log A_l / log A_0 falls as (1 - l / (T N^z))^power. Runs
differ by a factor of their lifetime, of the given SD. For each case: bias and SD of z over the repetitions, the mean
S of one power of N and of the shape alone, and how often the 95 % interval of the stretches covers the planted z.
"""

from __future__ import annotations

import argparse
import math

import numpy as np

from gradcascade.scaling.collapse import Curves, Dots, Profiles
from gradcascade.scaling.extinction import extinction_times
from gradcascade.scaling.regression import fit_lines

SIZES = {
    "Pico-LM": (589_824, 9_437_184, 37_748_736, 150_994_944),
    "demo": (36_864, 147_456, 589_824, 2_359_296),
}
CASES = tuple(
    (family, z, length, power, sd)
    for family, z, length in (("Pico-LM", 0.2, 0.5), ("Pico-LM", 0.06, 4.0), ("demo", 0.2, 1.0))
    for power, sd in ((1.0, 0.0), (1.5, 0.0), (1.0, 0.05))
)
"""Sizes, planted z, T, power of the profile, SD of runs."""


def cascade(n: int, lifetime: float, power: float, rng: np.random.Generator) -> list[int]:
    """Active nodes of one cascade."""
    start = round(0.1 * n)
    profile = [start]
    while profile[-1] > 0 and len(profile) < lifetime:
        before, after = (max(1 - step / lifetime, 0.0) ** power for step in (len(profile) - 1, len(profile)))
        profile.append(int(rng.poisson(profile[-1] * math.exp(math.log(start) * (after - before)))))
    return profile if profile[-1] else profile[:-1]


def lines(log_n: np.ndarray, values: np.ndarray, z: float) -> tuple[np.ndarray, float]:
    """Slopes of every repetition, and the share of their 95 % intervals that cover z."""
    starts = np.arange(values.shape[0]) * values.shape[1]
    found = fit_lines(log_n.ravel(), values.ravel(), starts)
    return found.value, float(np.mean((found.low < z) & (z < found.high)))


def row(family: str, z: float, length: float, power: float, sd: float, repetitions: int) -> str:
    """One line of the table."""
    rng = np.random.default_rng(20_261_126)
    sizes = SIZES[family]
    profiles = [
        cascade(n, length * n**z * power * math.exp(sd * rng.normal()), power, rng)
        for _ in range(repetitions)
        for n in sizes
    ]
    shape = (repetitions, len(sizes))
    log_n = np.tile(np.log(np.array(sizes, float)), (repetitions, 1))
    lengths = np.array([len(profile) for profile in profiles])
    times = extinction_times(np.concatenate(profiles), lengths).reshape(shape)
    counts = np.zeros((len(profiles), lengths.max() + 1))
    for place, profile in enumerate(profiles):
        counts[place, : len(profile)] = profile
    ready = Profiles.of(counts.reshape(*shape, -1), np.ones(shape), "duration")
    curves, dots = Curves(ready, log_n), Dots.of(ready, np.arange(len(sizes)))
    best = curves.best(dots, len(sizes))
    free = curves.free(best)
    quality = curves.distances(dots, len(sizes), best[:, None] * log_n).quality
    alone = curves.distances(dots, len(sizes), free).quality
    by_steps, _ = lines(log_n, np.log(lengths.reshape(shape)), z)
    by_time, _ = lines(log_n, np.log(times), z)
    by_stretch, covered = lines(log_n, free, z)
    cells = [f"{value.mean() - z:+.4f} / {value.std(ddof=1):.4f}" for value in (by_steps, by_time, best, by_stretch)]
    told = [f"{np.mean(quality):.2f}", f"{np.mean(alone):.2f}", f"{100 * covered:.1f}"]
    return "| " + " | ".join([family, f"{z:g}", f"{power:g}", f"{100 * sd:g} %", *cells, *told]) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=2000)
    repetitions = parser.parse_args().repetitions
    names = (
        "sizes, z, power, runs differ by, n_steps, extinction time, least S, stretches, S, S of the shape, covered %"
    )
    print("| " + " | ".join(names.split(", ")) + " |")
    print("| " + " | ".join(["---"] * 11) + " |")
    for case in CASES:
        print(row(*case, repetitions), flush=True)


if __name__ == "__main__":
    main()
