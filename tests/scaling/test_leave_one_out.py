from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from gradcascade.scaling.exponents import fit_exponents
from gradcascade.scaling.leave_one_out import leave_one_out

Build = Callable[..., pl.DataFrame]
FIVE = {"a": 1000, "b": 5000, "c": 20_000, "d": 90_000, "e": 300_000}


@pytest.mark.parametrize("replicates", [1, 3])
def test_matches_fits_of_the_tables_without_each_scale(cascades: Build, replicates: int) -> None:
    table = cascades(sizes=FIVE, steps=range(6), variants=("real", "N0"), replicates=replicates)
    table = table.filter((pl.col("scale") != "c") | (pl.col("step") != 2))
    found = leave_one_out(table)
    keys = ["family", "field", "variant", "step", "exponent"]
    refits = [
        fit_exponents(table.filter(pl.col("scale") != name)).with_columns(without=pl.lit(name)) for name in FIVE
    ]
    every = pl.concat(refits)
    assert found.select(keys).equals(fit_exponents(table).select(keys))
    for row in found.iter_rows(named=True):
        here = every.filter([pl.col(key) == row[key] for key in keys])
        absent = row["step"] == 2
        here = here.filter(pl.col("without") != "c") if absent else here
        low, high = here.sort("value").row(0, named=True), here.sort("value").row(-1, named=True)
        np.testing.assert_allclose([row["loo_low"], row["loo_high"]], [low["value"], high["value"]], atol=1e-11)
        assert (row["without_low"], row["without_high"]) == (low["without"], high["without"])
        assert row["reason"] is None


def test_three_scales_cannot_spare_one(cascades: Build) -> None:
    table = cascades(steps=[1, 2]).filter((pl.col("scale") != "d24") | (pl.col("step") != 1))
    found = leave_one_out(table)
    assert found.filter(pl.col("step") == 1)["reason"].to_list() == (
        ["only 3 scales: a fit needs 3, so none can be left out"] * 4
    )
    assert found["loo_low"].is_null().to_list() == [True] * 4 + [False] * 4


def test_what_has_no_fit_keeps_its_reason(cascades: Build) -> None:
    table = cascades(steps=[1]).filter(pl.col("scale").is_in(["d24", "d48"]))
    assert leave_one_out(table)["reason"][0] == "only 2 scales in all, a fit needs 3"
    pair = cascades(steps=[1]).with_columns(n=pl.when(pl.col("scale") == "d24").then(1000).otherwise(9000))
    assert leave_one_out(pair)["reason"][0] == "without one of the scales all the others have the same n"
    assert leave_one_out(cascades(steps=[1]).head(0)).is_empty()
