from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from gradcascade.scaling.decomposition import decompose
from gradcascade.scaling.exponents import fit_exponents
from gradcascade.scaling.series_mean import mean_half_widths
from gradcascade.scaling.window_means import window_differences, window_intervals
from gradcascade.scaling.windows import summarise

Build = Callable[..., pl.DataFrame]
LOGS = {"D": ("size", 0.0), "z": ("duration", 0.0)}


def row(table: pl.DataFrame, **values: object) -> dict[str, Any]:
    return table.filter([pl.col(name) == value for name, value in values.items()]).row(0, named=True)


def test_mean_and_spread_are_the_published_ones(cascades: Build) -> None:
    table = cascades(steps=range(40), variants=("real", "N0"), replicates=2)
    found, known = window_intervals(table, (5, 30)), summarise(fit_exponents(table), (5, 30))
    for name in ("family", "field", "variant", "exponent", "n_steps"):
        assert found[name].to_list() == known[name].to_list()
    np.testing.assert_allclose(found.select("mean", "sd"), known.select("mean", "sd"), rtol=1e-9, atol=1e-12)


def test_the_interval_along_training_is_that_of_the_series(cascades: Build) -> None:
    table = cascades(steps=range(40))
    fits = fit_exponents(table)
    for name in ("D", "z", "beta", "delta"):
        series = fits.filter((pl.col("exponent") == name) & (pl.col("step") >= 5))["value"].to_numpy()[None]
        found, half = row(window_intervals(table, (5, 99)), exponent=name), mean_half_widths(series)[0]
        expected = [series.mean() - half, series.mean() + half]
        np.testing.assert_allclose([found["low"], found["high"]], expected, rtol=1e-7)
        assert found["reason"] is None


@pytest.mark.parametrize("exponent", ["D", "z"])
def test_the_interval_across_scales_is_a_line_through_the_means(cascades: Build, exponent: str) -> None:
    table = cascades(steps=range(12), replicates=3)
    logs = table.with_columns(y=pl.col(LOGS[exponent][0]).log()).filter(pl.col("step").is_between(2, 9))
    means = logs.group_by("n").agg(pl.col("y").mean()).sort("n")
    line: Any = stats.linregress(np.log(means["n"].to_numpy()), means["y"].to_numpy())
    for confidence in (0.95, 0.9):
        found = row(window_intervals(table, (2, 9), confidence), exponent=exponent)
        half = stats.t.ppf(0.5 + confidence / 2, 2) * line.stderr
        expected = [line.slope, line.stderr, line.slope - half, line.slope + half]
        names = ["scales_value", "scales_se", "scales_low", "scales_high"]
        np.testing.assert_allclose([found[name] for name in names], expected, rtol=1e-7)
        assert (found["n_scales"], found["scales_steps"]) == (4, 8)
    assert found["mean"] == pytest.approx(found["scales_value"])


def test_differences_are_those_of_the_exponents_and_what_is_shared_drops_out(cascades: Build) -> None:
    table = cascades(steps=range(30), variants=("real", "N0", "N2"), replicates=2)
    known = decompose(fit_exponents(table)).filter(pl.col("step").is_between(5, 20))
    found = window_differences(table, (5, 20))
    assert found["difference"].unique(maintain_order=True).to_list() == ["total", "dist", "assign"]
    for answer in found.iter_rows(named=True):
        series = known.filter(pl.col("exponent") == answer["exponent"])[answer["difference"]].to_numpy()
        half = mean_half_widths(series[None])[0]
        expected = [series.mean(), series.std(ddof=1), series.mean() - half, series.mean()]
        ours = [answer[name] for name in ("mean", "sd", "low", "scales_value")]
        np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-12)
    shared = pl.when(pl.col("scale") == "d48").then(3).otherwise(1)
    louder = table.with_columns(size=pl.col("size") * shared)
    np.testing.assert_allclose(window_differences(louder, (5, 20))["scales_se"], found["scales_se"], atol=1e-9)


def test_without_the_answers_along_training_the_others_are_the_same(cascades: Build) -> None:
    table = cascades(variants=("real", "N0", "N2"))
    for answers in (window_intervals, window_differences):
        short, full = answers(table, (2, 9), along=False), answers(table, (2, 9))
        assert (
            short.equals(full.select(short.columns)) and "scales_low" in short.columns and "low" not in short.columns
        )


def test_only_pairs_that_were_measured(cascades: Build) -> None:
    table = cascades(variants=("real", "N1"))
    assert window_differences(table).is_empty()
    found = window_differences(table, parts={"noise": ("real", "N1")})
    assert found["difference"].to_list() == ["noise"] * 4


def test_a_scale_that_is_often_missing_is_left_out_and_others_cost_no_step(cascades: Build) -> None:
    table = cascades(steps=range(20))
    rare = (pl.col("scale") != "d24") | (pl.col("step") < 12)
    gone = (pl.col("scale") != "d96") | (pl.col("step") != 15)
    found = row(window_intervals(table.filter(rare & gone), (0, 19)), exponent="z")
    assert (found["n_scales"], found["scales_steps"], found["n_steps"]) == (4, 20, 19)
    fewer = (pl.col("scale") != "d24") | (pl.col("step") < 9)
    found = row(window_intervals(table.filter(fewer & gone), (0, 19)), exponent="z")
    assert (found["n_scales"], found["scales_steps"], found["n_steps"]) == (3, 20, 19)


def test_what_is_missing_is_said(cascades: Build) -> None:
    table = cascades(steps=range(20))
    assert row(window_intervals(table, (3, 3)), exponent="z")["reason"] == (
        "only 1 step in the window has the value; an interval that allows for correlated steps needs 5"
    )
    found = row(window_intervals(table, (3, 6)), exponent="z")
    assert found["reason"] is not None and found["low"] is None and found["sd"] is not None
    assert found["scales_reason"] is None and found["scales_low"] is not None
    found = row(window_intervals(table.filter(pl.col("scale").is_in(["d24", "d48"]))), exponent="z")
    assert found["reason"] == "no step in the window has the value"
    assert found["scales_reason"] == "only 2 scales are there at half of the window's steps or more"
    ceiling = table.with_columns(ceiling=pl.lit(True))
    assert row(window_intervals(ceiling), exponent="D")["scales_reason"] == "no cascade in the window can be used"
    same = table.with_columns(n=pl.lit(1000))
    assert "all have the same n" in str(row(window_intervals(same), exponent="D")["scales_reason"])
    never = table.filter((pl.col("step") % 3 != 0) | (pl.col("scale") != "d24"))
    never = never.filter((pl.col("step") % 3 != 1) | (pl.col("scale") != "d48"))
    never = never.filter((pl.col("step") % 3 != 2) | (pl.col("scale") != "d96"))
    found = row(window_intervals(never, (0, 19)), exponent="D")
    assert found["scales_reason"] is None and (found["scales_steps"], found["n_steps"]) == (20, 20)


def test_seeds_that_go_under_names_of_their_own_are_runs_of_one_scale(cascades: Build) -> None:
    table = cascades(steps=range(9), replicates=1)
    seeds = pl.concat(
        [
            table.with_columns(
                (pl.col("size") * (1 + 0.01 * k)).round(), scale=pl.format("{}-seed{}", "scale", pl.lit(k))
            )
            for k in range(3)
        ]
    )
    named = table.with_columns(pl.lit("0").alias("run"))
    runs = seeds.with_columns(
        pl.col("scale").str.split("-seed").list.first(), run=pl.col("scale").str.split("-seed").list.last()
    )
    assert named.height * 3 == runs.height
    ours, theirs = (row(window_intervals(part, (0, 8)), exponent="D") for part in (seeds, runs))
    for name in ("scales_value", "scales_se", "scales_low", "scales_high"):
        assert ours[name] == pytest.approx(theirs[name], rel=1e-9)
    assert (ours["n_scales"], ours["n_runs"], ours["scales_method"]) == (4, 12, "runs")
    assert (theirs["n_scales"], theirs["n_runs"]) == (4, 12)


def test_a_null_that_one_run_lacks_costs_that_run_alone(cascades: Build) -> None:
    table = cascades(steps=range(9), variants=("real", "N0"))
    both = pl.concat([table.with_columns(run=pl.lit(name)) for name in ("0", "1")])
    both = both.filter((pl.col("variant") == "real") | (pl.col("run") == "0"))
    found, known = window_differences(both, (0, 8)), window_differences(table, (0, 8))
    assert found.select("mean", "scales_value", "n_runs").equals(known.select("mean", "scales_value", "n_runs"))


def test_equal_durations_have_an_interval_of_no_width(cascades: Build) -> None:
    found = row(window_intervals(cascades(steps=range(20)).with_columns(duration=pl.lit(9))), exponent="z")
    assert [found[name] for name in ("mean", "low", "high", "scales_low", "scales_high")] == [0.0] * 5


def test_no_nan_anywhere(cascades: Build) -> None:
    table = cascades(steps=range(9), variants=("real", "N0", "N2"))
    table = table.filter((pl.col("scale") != "d24") | (pl.col("step") > 4))
    for found in (window_intervals(table), window_differences(table), window_intervals(table, (4, 4))):
        floats = [name for name, kind in found.schema.items() if kind == pl.Float64]
        assert not found.select(pl.any_horizontal(pl.col(floats).is_nan().any())).item()
