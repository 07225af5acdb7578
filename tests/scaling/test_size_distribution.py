import numpy as np
import polars as pl
import pytest

from gradcascade.scaling.size_distribution import size_distribution, survival

SIZES = {"a": 100, "b": 400, "c": 1600, "d": 6400}


def made(exponent, draw, runs=4, steps=200, seed=0):
    rng = np.random.default_rng(seed)
    return pl.concat(
        pl.DataFrame(
            {"scale": name, "run": str(run), "step": range(steps), "n": n, "size": n**exponent * draw(rng, steps)}
        )
        for name, n in SIZES.items()
        for run in range(runs)
    )


def values(found):
    return dict(found.select("statistic", "value").iter_rows())


def test_every_reading_gives_the_exponent_of_one_curve():
    same = np.random.default_rng(1).lognormal(0, 0.5, 200)
    found = values(size_distribution(made(1.2, lambda rng, steps: same), resamples=20))
    for name in ("largest", "run-largest", "mean", "ratio", "collapse"):
        assert found[name] == pytest.approx(1.2)
    assert found["misfit"] == pytest.approx(0, abs=1e-12)
    assert found["spread"] == pytest.approx(np.log(same).std())


@pytest.mark.parametrize("gamma", [1.15, 2.5])
def test_the_tail_of_a_power_law_is_found(gamma):
    table = made(1.0, lambda rng, steps: rng.random(steps) ** (-1 / gamma), runs=8, steps=1000)
    found = size_distribution(table, resamples=10)
    for name, wide in (("tail", 0.08), ("tail-line", 0.1)):
        row = found.row(by_predicate=pl.col("statistic") == name, named=True)
        assert row["value"] == pytest.approx(gamma, rel=wide)
        assert row["low"] < row["value"] < row["high"]


def test_the_intervals_cover_the_spread_of_runs_and_not_of_snapshots():
    def with_run_effect(rng, steps):
        return np.exp(rng.normal(0, 0.5)) * rng.lognormal(0, 0.01, steps)

    found = [size_distribution(made(1.0, with_run_effect, steps=20, seed=seed), resamples=40) for seed in range(8)]
    rows = [table.row(by_predicate=pl.col("statistic") == "collapse", named=True) for table in found]
    assert sum(row["low"] <= 1.0 <= row["high"] for row in rows) >= 5  # of 8; with snapshots as the unit, about 1


def test_survival_counts_what_is_at_least_as_large():
    table = pl.DataFrame({"scale": "a", "run": "0", "n": 9, "size": [3, 1, 3, 8, 0]})
    assert survival(table).rows() == [("a", 9, 1.0, 1.0), ("a", 9, 3.0, 0.75), ("a", 9, 8.0, 0.25)]


def test_two_scales_have_no_exponent_and_single_runs_no_interval():
    table = made(1.0, lambda rng, steps: rng.lognormal(0, 1, steps), runs=1)
    assert size_distribution(table.filter(pl.col("scale") < "c")).is_empty()
    assert size_distribution(table)["low"].is_null().all()
