"""Cascades with planted exponents, as a study would hold them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

ENTRIES = {"d24": 36_864, "d48": 147_456, "d96": 589_824, "d192": 2_359_296}
PLANTED_Z = {
    ("gradient", "real"): 0.16,
    ("gradient", "N0"): 0.06,
    ("gradient", "N1"): 0.06,
    ("gradient", "N2"): 0.15,
    ("update", "real"): 0.05,
    ("update", "N0"): 0.06,
    ("update", "N1"): 0.06,
    ("update", "N2"): 0.055,
}
SCHEMA: dict[str, Any] = {
    "family": pl.String,
    "scale": pl.String,
    "step": pl.Int64,
    "field": pl.String,
    "variant": pl.String,
    "replicate": pl.Int64,
    "n": pl.Int64,
    "tau": pl.Float64,
    "size": pl.Int64,
    "duration": pl.Int64,
    "ceiling": pl.Boolean,
    "activity": pl.List(pl.Int64),
    "max_over_tau": pl.Float64,
    "kurtosis": pl.Float64,
    "zero_share": pl.Float64,
    "source": pl.String,
    "revision": pl.String,
    "content_hash": pl.String,
    "probe_hash": pl.String,
    "seconds": pl.Float64,
}


def cascade(
    family: str, scale: str, step: int, field: str, variant: str, n: int, duration: int, **changed: object
) -> dict[str, object]:
    """One row whose activity decays geometrically over `duration` relaxation steps."""
    decay = (1 / (0.1 * n)) ** (1 / max(duration, 2))
    activity = [max(1, int(0.1 * n * decay**level)) for level in range(duration)]
    row: dict[str, object] = {
        "family": family,
        "scale": scale,
        "step": step,
        "field": field,
        "variant": variant,
        "replicate": 0,
        "n": n,
        "tau": 1.64,
        "size": sum(activity),
        "duration": duration,
        "ceiling": False,
        "activity": activity,
        "max_over_tau": 3.0,
        "kurtosis": 3.0,
        "zero_share": 0.0,
        "source": f"runs/{family}-{scale}/checkpoints/step_{step}",
        "revision": "",
        "content_hash": f"{abs(hash((family, scale, step, field))):064x}",
        "probe_hash": "0" * 64,
        "seconds": 0.01,
    }
    return row | changed


def study_cascades(
    family: str = "nano",
    entries: dict[str, int] | None = None,
    steps: Sequence[int] = tuple(range(20, 201, 20)),
    fields: Sequence[str] = ("gradient", "update"),
    variants: Sequence[str] = ("real", "N0", "N1", "N2"),
    first_duration: float = 18.0,
    noise: float = 0.02,
    seed: int = 0,
) -> pl.DataFrame:
    """Every scale, step, field and variant, with duration ~ N^z of PLANTED_Z, rounded to whole steps."""
    sizes = ENTRIES if entries is None else entries
    rng = np.random.default_rng(seed)
    smallest = min(sizes.values())
    rows = []
    for field in fields:
        for variant in variants:
            z = PLANTED_Z[field, variant]
            start = first_duration if (field, variant) in (("gradient", "real"), ("gradient", "N2")) else 8.0
            for step in steps:
                for scale, n in sizes.items():
                    duration = start * (n / smallest) ** z * np.exp(noise * rng.standard_normal())
                    rows.append(cascade(family, scale, step, field, variant, n, max(2, round(duration))))
    return table(rows)


def table(rows: Sequence[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def perplexities(cascades: pl.DataFrame, metric: str = "perplexity") -> pl.DataFrame:
    """A perplexity that falls with step and scale, for every (family, scale, step)."""
    return (
        cascades.select("family", "scale", "n", "step")
        .unique()
        .sort("family", "scale", "step")
        .select(
            "family",
            "scale",
            "step",
            metric=pl.lit(metric),
            value=3 + 250 * (-pl.col("step") / 60).exp() * (pl.col("n") / 36_864).pow(-0.1),
        )
    )
