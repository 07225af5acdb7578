from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

Build = Callable[..., pl.DataFrame]

SIZES = {"d24": 36_864, "d48": 147_456, "d96": 589_824, "d192": 2_359_296}


def build(
    steps: list[int] | range = range(0, 10),
    variants: tuple[str, ...] = ("real",),
    sizes: dict[str, int] | None = None,
    replicates: int = 1,
    field: str = "gradient",
    seed: int = 0,
) -> pl.DataFrame:
    """Cascades with noise, of the shape that real ones have."""
    rng = np.random.default_rng(seed)
    rows = [
        {
            "family": "nano",
            "scale": scale,
            "step": step,
            "field": field,
            "variant": variant,
            "replicate": replicate,
            "n": n,
            "size": int(0.135 * n * rng.uniform(0.9, 1.1)),
            "duration": int(rng.integers(6, 40)),
            "ceiling": False,
            "zero_share": 0.0,
        }
        for variant in variants
        for step in steps
        for scale, n in (sizes or SIZES).items()
        for replicate in range(replicates)
    ]
    return pl.DataFrame(rows)


@pytest.fixture
def cascades() -> Build:
    return build
