from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
from scipy import stats

from gradcascade.scaling.exponents import fit_exponents
from gradcascade.scaling.weighted import weighted_exponents

Build = Callable[..., pl.DataFrame]


def test_matches_weighted_least_squares_written_out(cascades: Build) -> None:
    table = cascades(steps=range(5), replicates=3, variants=("N0",))
    table = table.filter((pl.col("step") != 2) | (pl.col("scale") != "d48") | (pl.col("replicate") == 0))
    found = weighted_exponents(table)
    for name, y in {"D": pl.col("size"), "z": pl.col("duration")}.items():
        logs = table.with_columns(y=y.log())
        variance = {}
        for scale in logs["scale"].unique():
            squares, degrees = 0.0, 0
            for _, part in logs.filter(pl.col("scale") == scale).group_by("step"):
                squares += float(((part["y"] - part["y"].mean()) ** 2).sum())
                degrees += part.height - 1
            variance[scale] = squares / degrees
        for step in range(5):
            means = logs.filter(pl.col("step") == step).group_by("scale", "n").agg(pl.col("y").mean(), r=pl.len())
            w = np.array([r / variance[scale] for scale, r in means.select("scale", "r").iter_rows()])
            design = np.column_stack([np.ones(4), np.log(means["n"].to_numpy())])
            inverse = np.linalg.inv(design.T @ (w[:, None] * design))
            value = inverse @ design.T @ (w * means["y"].to_numpy())
            rest = means["y"].to_numpy() - design @ value
            se = np.sqrt((w * rest**2).sum() / 2 * inverse[1, 1])
            half = stats.t.ppf(0.975, 2) * se
            row = found.filter(pl.col("step") == step, pl.col("exponent") == name).row(0, named=True)
            ours = [row["value"], row["se"], row["low"], row["high"]]
            np.testing.assert_allclose(ours, [value[1], se, value[1] - half, value[1] + half], rtol=1e-6)
            assert row["reason"] is None


def test_equal_noise_is_close_to_no_weights(cascades: Build) -> None:
    table = cascades(steps=range(300), replicates=4, variants=("N0",))
    weighted, plain = weighted_exponents(table), fit_exponents(table)
    assert weighted.select("step", "exponent").equals(plain.select("step", "exponent"))
    assert float(np.abs((weighted["value"] - plain["value"]).to_numpy()).max()) < 0.02


def test_what_is_missing_is_said(cascades: Build) -> None:
    single = weighted_exponents(cascades(steps=[1]))
    assert single["reason"][0] == "scale d192 was measured once at every step; weights need replicates"
    table = cascades(steps=[1], replicates=3)
    alike = table.with_columns(duration=pl.when(pl.col("scale") == "d48").then(9).otherwise("duration"))
    found = weighted_exponents(alike)
    assert found["reason"].to_list()[:2] == [None, "the replicates of scale d48 are all alike; they give no weight"]
    assert found["value"].is_null().to_list() == [False, True, False, False]
    few = table.filter(pl.col("scale").is_in(["d24", "d96"]))
    assert weighted_exponents(few)["reason"][0] == "only 2 scales in all, a fit needs 3"
    same = table.with_columns(n=pl.lit(50))
    assert "all have the same n" in weighted_exponents(same)["reason"][0]
    assert weighted_exponents(table.head(0)).is_empty()


def test_the_same_bits_every_time(cascades: Build) -> None:
    table = cascades(steps=range(40), replicates=3)
    first = weighted_exponents(table)
    for seed in range(8):
        shuffled = table.sample(fraction=1.0, shuffle=True, seed=seed)
        assert weighted_exponents(shuffled).equals(first)
