"""Cascades of fourteen scales, enough for local exponents."""

import numpy as np
import polars as pl

SIZES = np.geomspace(5e5, 2e9, 14).astype(int).tolist()


def many_scales(runs: int, steps: int = 4, fields: tuple[str, ...] = ("gradient",)) -> pl.DataFrame:
    """Runs differ by 5 %, steps by 3 %; durations have a correction to scaling, of gradients a large one."""
    rng = np.random.default_rng(2)
    shape = (len(fields), len(SIZES), runs, steps)
    x = np.log(SIZES) - np.log(SIZES[0])
    law = 2.0 + 0.2 * x + np.exp(-0.5 * x) * np.linspace(0.6, 0.0, len(fields) + 1)[:-1, None]
    log = law[:, :, None, None] + 0.05 * rng.standard_normal((*shape[:3], 1)) + 0.03 * rng.standard_normal(shape)
    f, k, r, t = np.indices(shape).reshape(4, -1)
    n = np.array(SIZES)[k]
    return pl.DataFrame(
        {
            "family": "f",
            "field": np.array(fields)[f],
            "variant": "real",
            "scale": pl.Series(k).cast(pl.String).str.zfill(2),
            "run": r.astype(str),
            "step": t,
            "n": n,
            "size": 0.1 * n * np.exp(0.01 * rng.standard_normal(n.size)),
            "duration": np.exp(log).ravel(),
        }
    )
