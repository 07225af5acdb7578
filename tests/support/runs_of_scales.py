"""Cascades of a family with several runs of every scale, clean or with one run that leaves the others."""

import numpy as np
import polars as pl


def clean(rng, runs=5, n_steps=40, scales=4, phi=0.8, sd=0.03) -> pl.DataFrame:
    """Cascades of a family whose channels follow a law, with correlated deviations along training."""
    steps = np.arange(1, n_steps + 1)
    rows = []
    for k in range(scales):
        n = int(10 ** (4 + 0.6 * k))
        for run in range(runs):
            size, time = (np.zeros(n_steps) for _ in range(2))
            for channel in (size, time):
                channel[0] = rng.normal()
                for i in range(1, n_steps):
                    channel[i] = phi * channel[i - 1] + np.sqrt(1 - phi**2) * rng.normal()
            size = 0.3 * n * np.exp(0.5 * np.exp(-steps / 8) + sd * size)
            duration = np.ceil(9 * (n / 1e4) ** 0.2 * np.exp(sd * time))
            rows += [
                ("f", f"s{k}", str(run), int(1000 * t), n, round(s), int(d), 1.0 / t, 9.0)
                for t, s, d in zip(steps, size, duration, strict=True)
            ]
    columns = ["family", "scale", "run", "step", "n", "size", "duration", "tau", "max_over_tau"]
    table = pl.DataFrame(rows, schema=columns, orient="row")
    return table.with_columns(
        field=pl.lit("update"), variant=pl.lit("real"), replicate=0, ceiling=False, kurtosis=3.0, zero_share=0.0
    )


def sick(table: pl.DataFrame, factor: float, first: int, last: int = 10**9, scale: str = "s2") -> pl.DataFrame:
    here = (pl.col("scale") == scale) & (pl.col("run") == "1") & pl.col("step").is_between(first, last)
    changed = (pl.col("size") * factor).round().cast(pl.Int64)
    return table.with_columns(size=pl.when(here).then(changed).otherwise("size"))
