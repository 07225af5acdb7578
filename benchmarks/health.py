"""How often the check of runs takes clean families for sick, and misses planted faults.

``python benchmarks/health.py [families]``; families of four scales, 300 of each kind by default, seeds fixed: the
table of docs/validation.md.
"""

import sys

import numpy as np
import polars as pl

from gradcascade.scaling.health import run_health

FAULTS = {
    "falls to 0.8": 0.8,
    "falls to 0.6": 0.6,
    "falls to 0.4": 0.4,
    "rises to 1.5": 1.5,
    "rises to 2.5": 2.5,
}


def family(rng: np.random.Generator, runs: int, n_steps: int, phi: float, sd: float) -> pl.DataFrame:
    """Real cascades of four scales: a learning curve, runs that differ, deviations correlated along training."""
    steps, scales = np.arange(1, n_steps + 1), 4
    n = np.repeat([10_000, 40_000, 160_000, 640_000], runs)[:, None]
    curve = np.exp(-steps / (n_steps / 5))
    channels = []
    for _ in range(2):
        noise = rng.normal(size=(scales * runs, n_steps))
        walk = np.zeros_like(noise)
        walk[:, 0] = noise[:, 0]
        for i in range(1, n_steps):
            walk[:, i] = phi * walk[:, i - 1] + np.sqrt(1 - phi**2) * noise[:, i]
        channels.append(sd * (walk + rng.normal(size=(scales * runs, 1))))
    size = np.round(0.3 * n * np.exp(0.5 * curve + channels[0]))
    duration = np.ceil(9 * (n / 1e4) ** 0.2 * np.exp(0.2 * curve + channels[1]))
    columns = {
        "scale": np.repeat([f"s{k}" for k in range(scales) for _ in range(runs)], n_steps),
        "run": np.tile(np.repeat([str(run) for run in range(runs)], n_steps), scales),
        "step": np.tile(1000 * steps, scales * runs),
        "n": np.repeat(n.ravel(), n_steps),
        "size": size.ravel().astype(int),
        "duration": duration.ravel().astype(int),
        "tau": np.tile(np.exp(-curve), scales * runs),
    }
    constant = {"family": "f", "field": "update", "variant": "real", "replicate": 0, "ceiling": False}
    constant |= {"max_over_tau": 9.0, "kurtosis": 3.0, "zero_share": 0.0}
    return pl.DataFrame(columns).with_columns(**{name: pl.lit(value) for name, value in constant.items()})


def with_fault(table: pl.DataFrame, factor: float) -> pl.DataFrame:
    """One run of one scale whose size changes at 60 % of training, and stays so."""
    first = table["step"].max() * 0.6  # type: ignore[operator]
    here = (pl.col("scale") == "s2") & (pl.col("run") == "0") & (pl.col("step") >= first)
    return table.with_columns(size=pl.when(here).then((pl.col("size") * factor).cast(pl.Int64)).otherwise("size"))


def main(families: int) -> None:
    """Print the table."""
    print("| runs | steps | phi | SD | taken for sick |", *(f" {name} |" for name in FAULTS), sep="")
    print("| --- | --- | --- | --- | --- |", " --- |" * len(FAULTS), sep="")
    kinds = [(1, 56, 0.5, 0.02), (1, 56, 0.9, 0.05), (1, 153, 0.95, 0.05), (3, 56, 0.9, 0.05), (5, 21, 0.5, 0.05)]
    kinds += [(5, 56, 0.9, 0.05), (9, 56, 0.9, 0.05), (9, 153, 0.95, 0.1), (9, 56, 0.0, 0.02)]
    for runs, n_steps, phi, sd in kinds:
        rng = np.random.default_rng([runs, n_steps, int(100 * phi), int(100 * sd)])
        clean, found = 0, dict.fromkeys(FAULTS, 0)
        for _ in range(families):
            table = family(rng, runs, n_steps, phi, sd)
            clean += not run_health(table).is_empty()
        planted = max(families // 5, 1)
        for name, factor in FAULTS.items():
            for _ in range(planted):
                seen = run_health(with_fault(family(rng, runs, n_steps, phi, sd), factor))
                found[name] += not seen.filter(pl.col("scale") == "s2", pl.col("run") == "0").is_empty()
        cells = [f"{100 * clean / families:.1f} %", *(f"{100 * count / planted:.0f} %" for count in found.values())]
        print(f"| {runs} | {n_steps} | {phi} | {sd} |", *(f" {cell} |" for cell in cells), sep="", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
