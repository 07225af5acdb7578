from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats

from gradcascade.errors import InputError
from gradcascade.scaling.borrowed import BORROWED_SCHEMA, borrowed_intervals

PICO = (589_824, 9_437_184, 37_748_736, 150_994_944)


def planted(rng: np.random.Generator, families: int, runs: int, sd: float = 0.05) -> pl.DataFrame:
    rows = [
        (f"f{family:03}", "gradient", "real", f"s{k}", str(run), step, n, 0.1 * n, 20 * n**0.1 * np.exp(off))
        for family in range(families)
        for k, n in enumerate(PICO)
        for run in range(runs)
        for off in [sd * rng.standard_normal()]
        for step in range(2)
    ]
    names = ["family", "field", "variant", "scale", "run", "step", "n", "size", "duration"]
    return pl.DataFrame(rows, schema=names, orient="row")


def test_the_error_is_that_of_the_lenders_runs() -> None:
    rng = np.random.default_rng(1)
    lender, own = planted(rng, 1, 9), planted(rng, 1, 1)
    found = borrowed_intervals(own, lender)
    assert found.schema == BORROWED_SCHEMA
    row = found.filter(pl.col("exponent") == "z").row(0, named=True)
    means = lender.group_by("scale", "run").agg(pl.col("duration").log().mean())
    pooled = means.group_by("scale").agg(pl.col("duration").var())["duration"].mean()
    x = np.log(PICO)
    assert isinstance(pooled, float)
    se = np.sqrt(pooled / ((x - x.mean()) ** 2).sum())
    assert (row["se"], row["degrees"], row["lender"]) == (pytest.approx(se), 32, "f000")
    assert row["high"] - row["value"] == pytest.approx(stats.t.ppf(0.975, 32) * se)


@pytest.mark.parametrize(("times", "low", "high"), [(1.0, 0.91, 0.99), (1.5, 0.74, 0.89)])
def test_it_covers_what_is_said_if_runs_scatter_alike_or_more(times: float, low: float, high: float) -> None:
    rng = np.random.default_rng(2)
    lender, own = planted(rng, 1, 60), planted(rng, 200, 1, 0.05 * times)
    found = borrowed_intervals(own, lender).filter(pl.col("exponent") == "z")
    assert low <= found.select(pl.lit(0.1).is_between(pl.col("low"), pl.col("high")).mean()).item() <= high


def test_what_cannot_be_borrowed_is_said() -> None:
    rng = np.random.default_rng(3)
    own = planted(rng, 1, 1)
    with pytest.raises(InputError, match="no scale of the study to borrow from has several runs"):
        borrowed_intervals(own, own)
    with pytest.raises(InputError, match="both f000 and f001 have several runs"):
        borrowed_intervals(own, planted(rng, 2, 2))
    other = planted(rng, 1, 2).with_columns(field=pl.lit("update"))
    assert borrowed_intervals(own, other)["reason"][0] == "the lender has no several runs of gradients, real"
    two = own.filter(pl.col("n") < 10**7)
    assert borrowed_intervals(two, planted(rng, 1, 2))["reason"][0].startswith("only 2 scales are there")
