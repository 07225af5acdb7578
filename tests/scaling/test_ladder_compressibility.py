"""R2 along the ladder, by hand."""

import numpy as np
import polars as pl
import pytest
from matched_runs import matched
from scipy import stats

from gradcascade.scaling.combinations import Combination
from gradcascade.scaling.ladder import Ladder
from gradcascade.scaling.ladder_compressibility import combined_r2, ladder_r2, seed_r2

ADAM = "adamw-constant"


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return matched(variants=("real",), step_sd=0.05, steps=3)


def by_hand(table, field, span=None):
    """Mean R2 over steps of every seed."""
    own = table.filter(pl.col("family") == ADAM, pl.col("field") == field, pl.col("span").eq_missing(pl.lit(span)))
    found = []
    for run in sorted(own["run"].unique()):
        steps = own.filter(pl.col("run") == run).sort("step", "n").partition_by("step")
        found.append(np.mean([np.corrcoef(s["n"].log(), s["duration"].log())[0, 1] ** 2 for s in steps]))
    return np.array(found)


def test_a_rung_is_the_mean_over_seeds_with_its_interval(table):
    ladder = Ladder.of(table, (100, 300))
    row = ladder_r2(ladder, seed_r2(ladder)).filter(condition=ADAM, rung="gradient", exponent="z").row(0, named=True)
    values = by_hand(table, "gradient")
    half = stats.t.ppf(0.975, 3) * values.std(ddof=1) / 2
    assert (row["value"], row["low"]) == pytest.approx((values.mean(), values.mean() - half))
    assert row["high"] == pytest.approx(min(values.mean() + half, 1.0)) and row["n_seeds"] == 4


def test_a_difference_is_taken_seed_by_seed(table):
    ladder = Ladder.of(table, (100, 300))
    ends = Combination.difference("ends", (ADAM, "gradient"), (ADAM, "update 10"))
    (row,) = combined_r2(seed_r2(ladder), [ends])
    gaps = by_hand(table, "gradient") - by_hand(table, "update", 10)
    _, p = stats.ttest_1samp(gaps, 0)
    assert (row["value"], row["p"]) == pytest.approx((gaps.mean(), p))


def test_a_seed_without_a_run_of_every_scale_does_not_count(table):
    short = table.filter(~((pl.col("run") == "2") & (pl.col("scale") == "d96")))
    ladder = Ladder.of(short, (100, 300))
    assert ladder_r2(ladder, seed_r2(ladder))["n_seeds"].unique().to_list() == [3]


def test_one_seed_has_no_interval_and_no_seed_no_value(table):
    ladder = Ladder.of(table.filter(pl.col("run") == "0"), (100, 300))
    seeds = seed_r2(ladder)
    ends = Combination.difference("ends", (ADAM, "gradient"), (ADAM, "update 10"))
    (row,) = combined_r2(seeds, [ends])
    assert row["value"] is not None and row["p"] is None and row["code"] == "one-seed"
    (row,) = combined_r2(seeds.clear(), [ends])
    assert row["value"] is None and row["code"] == "no-seed"
