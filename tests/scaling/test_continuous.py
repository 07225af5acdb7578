from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from gradcascade.errors import InputError
from gradcascade.scaling.continuous import fit_continuous, rounding
from gradcascade.scaling.exponents import fit_exponents
from gradcascade.scaling.extinction import continuous_durations

Build = Callable[..., pl.DataFrame]
GROUP = ["family", "field", "variant"]


def decaying(table: pl.DataFrame, seed: int = 0) -> pl.DataFrame:
    """Give every cascade a profile that decays geometrically, with counting noise, and the duration it implies."""
    rng = np.random.default_rng(seed)
    profiles = []
    for n in table["n"].to_list():
        count, profile = 0.1 * n, []
        while count >= 1:
            profile.append(int(count))
            count = float(rng.poisson(count * rng.uniform(0.3, 0.5)))
        profiles.append(profile)
    return table.with_columns(
        pl.Series("activity", profiles, dtype=pl.List(pl.Int64)),
        pl.Series("duration", [len(profile) for profile in profiles], dtype=pl.Int64),
    )


def test_what_has_no_extinction_time_says_why(cascades: Build) -> None:
    table = cascades(steps=[1]).with_columns(
        pl.Series("activity", [[9, 3, 1], [7], [5, 5, 5], []], dtype=pl.List(pl.Int64)),
        pl.Series("ceiling", [True, False, False, False]),
    )
    found = continuous_durations(table)
    assert found["continuous"].to_list() == [None] * 4
    assert found["continuous_reason"].to_list() == [
        "reached the ceiling",
        "has an activity profile of fewer than two steps",
        "has an activity that does not decay",
        "has an activity profile of fewer than two steps",
    ]
    assert fit_continuous(table)["reason"][1] == (
        "0 of 4 scales left: d24 reached the ceiling, d48 has an activity profile of fewer than two steps, "
        "d96 has an activity that does not decay, d192 has an activity profile of fewer than two steps"
    )


def test_no_cascade_at_all(cascades: Build) -> None:
    empty = decaying(cascades(steps=[1])).head(0)
    assert continuous_durations(empty).is_empty() and fit_continuous(empty).is_empty() and rounding(empty).is_empty()


def test_the_exponents_of_a_continuous_duration_are_those_of_a_table_that_holds_it(cascades: Build) -> None:
    table = decaying(cascades(replicates=2))
    times = continuous_durations(table)
    assert times.drop("continuous", "continuous_code", "continuous_reason").equals(table)
    expected = fit_exponents(times.with_columns(duration="continuous"))
    assert fit_continuous(table).equals(expected)
    sizes = pl.col("exponent") == "D"
    assert fit_continuous(table).filter(sizes).equals(fit_exponents(table).filter(sizes))


def test_rounding_is_the_scatter_that_rounding_alone_makes(cascades: Build) -> None:
    rng = np.random.default_rng(8)
    table = cascades(steps=range(3000)).with_columns(activity=pl.lit([100, 10, 1], dtype=pl.List(pl.Int64)))
    true = 12 * (table["n"].to_numpy() / table["n"].to_numpy().min()) ** 0.05 * rng.uniform(0.9, 1.1, len(table))
    exact = fit_exponents(table.with_columns(duration=pl.Series(true)))
    rounded = table.with_columns(duration=pl.Series(np.rint(true)).cast(pl.Int64))
    error = (fit_exponents(rounded)["value"] - exact["value"]).to_numpy()[1::4]
    found = rounding(rounded, (0, 2999)).row(0, named=True)
    assert found["rounding_sd"] == pytest.approx(error.std(), rel=0.05)
    assert found["rounding_share"] == pytest.approx(found["rounding_sd"] ** 2 / found["z_sd"] ** 2)


def test_rounding_matches_numpy_over_the_window(cascades: Build) -> None:
    table = decaying(cascades(variants=("real", "N0")))
    found = rounding(table, (2, 7))
    for row in found.iter_rows(named=True):
        used = (pl.col("variant") == row["variant"]) & pl.col("step").is_between(2, 7) & (pl.col("exponent") == "z")
        z, smooth = (fits.filter(used)["value"].to_numpy() for fits in (fit_exponents(table), fit_continuous(table)))
        expected = [z.mean(), z.std(ddof=1), smooth.mean(), smooth.std(ddof=1), 1 - smooth.var() / z.var()]
        names = ["z", "z_sd", "z_continuous", "z_continuous_sd", "removed_share"]
        np.testing.assert_allclose([row[name] for name in names], expected, rtol=1e-9, atol=1e-12)
        assert row["n_steps"] == 6 and row["reason"] is None


def test_missing_answers_of_rounding_are_explained(cascades: Build) -> None:
    table = decaying(cascades(steps=[1, 2, 3]))
    few = table.filter(pl.col("scale").is_in(["d24", "d48"]))
    assert rounding(few)["reason"].to_list() == ["only 2 scales in all, a fit needs 3"]
    assert (
        rounding(table, (2, 2))["reason"][0] == "only one step in the window has both exponents; a scatter needs two"
    )
    assert rounding(table, (50, 60))["reason"][0] == "no step in the window"
    same = table.filter(pl.col("step") == 1)
    same = pl.concat([same.with_columns(step=pl.lit(step, dtype=pl.Int64)) for step in (1, 2)])
    row = rounding(same, (1, 2)).row(0, named=True)
    assert row["rounding_share"] is None and "the same at every step" in row["reason"]


def test_a_table_without_profiles_is_refused(cascades: Build) -> None:
    with pytest.raises(InputError, match="lacks the column activity"):
        fit_continuous(cascades())
