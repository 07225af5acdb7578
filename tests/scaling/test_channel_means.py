from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from gradcascade.scaling.channel_means import variation

Build = Callable[..., pl.DataFrame]


def test_variation_over_scales(cascades: Build) -> None:
    table = cascades().with_columns(ceiling=(pl.col("step") == 5) & pl.col("scale").is_in(["d24", "d48"]))
    row = variation(table, (3, 6)).row(0, named=True)
    per_step = []
    for _, step in table.filter(pl.col("step").is_in([3, 4, 6])).group_by("step"):
        v_rel = (step["size"] / step["n"] / step["duration"]).to_numpy()
        per_step.append(np.std(v_rel) / np.mean(v_rel))
    assert row["n_steps"] == 3
    np.testing.assert_allclose([row["cv"], row["cv_sd"]], [np.mean(per_step), np.std(per_step, ddof=1)])
    used = table.filter(pl.col("step").is_between(3, 6), ~pl.col("ceiling"))
    v_rel = pl.col("size") / pl.col("n") / pl.col("duration")
    means = used.group_by("scale").agg(v_rel=v_rel.mean())["v_rel"].to_numpy()
    assert row["cv_of_means"] == pytest.approx(np.std(means) / np.mean(means))


def test_variation_of_the_published_power_law() -> None:
    n = np.array([589_824, 9_437_184, 37_748_736, 150_994_944])
    table = pl.DataFrame(
        {
            "family": "pico-lm",
            "field": "gradient",
            "variant": "real",
            "step": 5000,
            "scale": ["tiny", "small", "medium", "large"],
            "n": n,
            "size": 0.13 * n,
            "duration": n**0.235,
        }
    )
    assert variation(table, (5000, 60000))["cv"].item() == pytest.approx(0.501, abs=0.02)
