"""Cascades of matched runs with planted exponents: conditions, rungs, scales, seeds, and what they share."""

from collections.abc import Callable

import numpy as np
import polars as pl

SIZES = {"d16": 12_000, "d24": 40_000, "d48": 160_000, "d96": 640_000}
RUNGS = [("gradient", None), ("momentum", None), ("direction", None), ("update", 1), ("update", 10)]
CONDITIONS = ("adamw-constant", "sgd-momentum-constant")
PLAN = {"optimizers": ["sgd-momentum", "adamw"], "schedules": ["constant"]}
NOISE_Z = 0.055


def falling(condition: str, rung: int) -> float:
    """z falls once, between direction and the first update, and not at all under SGD."""
    return 0.16 if rung < 3 or condition.startswith("sgd") else 0.05


def level(condition: str, rung: int) -> float:
    """z is the same everywhere."""
    return 0.16


def matched(
    seed: int = 1,
    z: Callable[[str, int], float] = falling,
    seeds: int = 4,
    steps: int = 4,
    shared_sd: float = 0.05,
    own_sd: float = 0.005,
    scale_sd: float = 0.0,
    step_sd: float = 0.01,
    variants: tuple[str, ...] = ("real", "N0", "N2"),
    conditions: tuple[str, ...] = CONDITIONS,
    rungs: list[tuple[str, int | None]] = RUNGS,
    activity: bool = False,
) -> pl.DataFrame:
    """One row per cascade; a run's rungs and conditions share its level (``shared_sd``) but for ``own_sd``.

    Durations are not rounded unless there are profiles, so that what was planted is what is there.
    """
    rng = np.random.default_rng(seed)
    n = np.array(list(SIZES.values()))
    x = np.log(n) - np.log(n).mean()
    shared = shared_sd * rng.standard_normal((n.size, seeds))
    parts = []
    for condition in conditions:
        for place, (field, span) in enumerate(rungs):
            mean = np.log(15) + z(condition, place) * x + scale_sd * rng.standard_normal(n.size)
            own = shared + own_sd * rng.standard_normal((n.size, seeds))
            for variant in variants:
                log = step_sd * rng.standard_normal((n.size, seeds, steps))
                if variant == "N0":
                    log = log + (np.log(8) + NOISE_Z * x)[:, None, None]
                else:
                    log = log + (mean[:, None] + own)[:, :, None]
                index = np.indices(log.shape).reshape(3, -1)
                entries = n[index[0]]
                parts.append(
                    pl.DataFrame(
                        {
                            "family": condition,
                            "field": field,
                            "span": pl.Series([span] * log.size, dtype=pl.Int64),
                            "variant": variant,
                            "replicate": 0,
                            "scale": pl.Series(list(SIZES))[index[0]],
                            "run": pl.Series([str(k) for k in range(seeds)])[index[1]],
                            "step": 100 * (index[2] + 1),
                            "n": entries,
                            "size": 0.135 * entries * np.exp(0.002 * rng.standard_normal(log.size)),
                            "duration": np.exp(log).ravel(),
                            "ceiling": False,
                        }
                    )
                )
    table = pl.concat(parts)
    return with_profiles(table) if activity else table


def with_profiles(table: pl.DataFrame) -> pl.DataFrame:
    """Whole durations, profiles that decay from a tenth of N to one node, and the sizes of these."""
    rows = table.select("n", pl.col("duration").round().cast(pl.Int64)).to_dicts()
    profiles = [np.rint((0.1 * row["n"]) ** (1 - np.arange(row["duration"]) / row["duration"])) for row in rows]
    counts = [np.maximum(profile, 1).astype(int).tolist() for profile in profiles]
    return table.with_columns(
        pl.Series("duration", [len(count) for count in counts]),
        pl.Series("size", [sum(count) for count in counts]),
        pl.Series("activity", counts, dtype=pl.List(pl.Int64)),
    )
