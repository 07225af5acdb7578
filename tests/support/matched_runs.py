"""Cascades of matched runs with planted exponents: conditions, rungs, scales, seeds, and what they share."""

import numpy as np
import polars as pl

SIZES = {"d16": 12_000, "d24": 40_000, "d48": 160_000, "d96": 640_000}
SPANS = (1, 2, 5, 10, 20, 50)
RUNGS = [("gradient", None), ("mean-gradient", None), ("momentum", None), ("direction", None)] + [
    ("update", span) for span in SPANS
]
CONDITIONS = ("adamw-constant", "sgd-momentum-constant")


def falling(condition: str, rung: int) -> float:
    """z falls once, between direction and the first update, and not at all under SGD."""
    if condition.startswith("sgd"):
        return 0.16
    return 0.16 if rung < 4 else 0.05


def matched(
    seed=1,
    z=falling,
    sizes=SIZES,
    seeds=4,
    steps=6,
    shared_sd=0.05,
    own_sd=0.01,
    scale_sd=0.0,
    step_sd=0.02,
    nulls=("N0", "N2"),
    replicates=2,
    conditions=CONDITIONS,
    rungs=RUNGS,
    rounded=True,
    activity=False,
):
    """One row per cascade; a run's rungs and conditions share its level (``shared_sd``) but for ``own_sd``."""
    rng = np.random.default_rng(seed)
    n = np.array(list(sizes.values()))
    x = np.log(n) - np.log(n).mean()
    shared = shared_sd * rng.standard_normal((n.size, seeds))
    noise_z = 0.055
    rows = []
    for condition in conditions:
        for place, (field, span) in enumerate(rungs):
            off = scale_sd * rng.standard_normal(n.size)
            level = np.log(15) + z(condition, place) * x + off
            own = own_sd * rng.standard_normal((n.size, seeds))
            for variant, count in (("real", 1), *((null, replicates) for null in nulls)):
                base = np.log(8) + noise_z * x if variant == "N0" else level
                for replicate in range(count):
                    log = base[:, None, None] + step_sd * rng.standard_normal((n.size, seeds, steps))
                    if variant != "N0":
                        log = log + (shared + own)[:, :, None]
                    duration = np.exp(log)
                    index = np.indices(log.shape).reshape(3, -1)
                    rows.append(
                        pl.DataFrame(
                            {
                                "family": condition,
                                "field": field,
                                "span": pl.Series([span] * log.size, dtype=pl.Int64),
                                "variant": variant,
                                "replicate": replicate,
                                "scale": pl.Series(list(sizes))[index[0]],
                                "run": pl.Series([str(k) for k in range(seeds)])[index[1]],
                                "step": 100 * (index[2] + 1),
                                "n": n[index[0]],
                                "size": np.rint(0.135 * n[index[0]] * np.exp(0.002 * rng.standard_normal(log.size))),
                                "duration": (np.maximum(np.rint(duration), 1) if rounded else duration).ravel(),
                                "ceiling": False,
                            }
                        )
                    )
    table = pl.concat(rows)
    return table.with_columns(activity=profile()) if activity else table


def profile() -> pl.Expr:
    """An activity profile that decays geometrically from a tenth of N to half a node at the duration."""

    def of(row: dict) -> list[int]:
        start, end = np.log(0.1 * row["n"]), np.log(0.5)
        return (
            np.rint(np.exp(start + (end - start) * np.arange(row["duration"]) / row["duration"])).astype(int).tolist()
        )

    return pl.struct("n", "duration").map_elements(of, return_dtype=pl.List(pl.Int64))
