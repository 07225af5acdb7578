from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from gradcascade.errors import InputError
from gradcascade.performance.association import (
    ASSOCIATION_SCHEMA,
    associations,
    channel_series,
    discoveries,
    metric_series,
)
from gradcascade.performance.permutation import shift_test
from gradcascade.performance.schedules import published_schedules
from gradcascade.scaling.channels import channels
from gradcascade.scaling.exponents import fit_exponents

SIZES = {"70m": 70_426_624, "160m": 162_322_944, "410m": 405_334_016}
STEPS = range(1000, 41_000, 1000)


@pytest.fixture(scope="module")
def cascades() -> pl.DataFrame:
    rng = np.random.default_rng(2)
    rows = [
        {
            "family": "pythia",
            "scale": scale,
            "step": step,
            "field": "update",
            "variant": variant,
            "n": n,
            "size": round(0.13 * n * rng.uniform(0.9, 1.1)),
            "duration": int(rng.integers(8, 20)),
        }
        for scale, n in SIZES.items()
        for step in STEPS
        for variant in ("real", "N0")
    ]
    return pl.DataFrame(rows)


@pytest.fixture(scope="module")
def metrics() -> pl.DataFrame:
    rng = np.random.default_rng(4)
    rows = [
        {"family": "pythia", "scale": scale, "step": step, "metric": "accuracy", "value": rng.uniform(0.2, 0.6)}
        for scale in SIZES
        for step in STEPS[5:]
    ]
    return pl.DataFrame(rows)


def line(table: pl.DataFrame, **values: object) -> np.ndarray:
    return table.filter([pl.col(key) == value for key, value in values.items()]).sort("step")["value"].to_numpy()


def test_series_are_channels_their_means_and_exponents(cascades: pl.DataFrame) -> None:
    found = channel_series(cascades)
    real = channels(cascades).filter(pl.col("variant") == "real").sort("step")
    for name in ("v_rel", "duration_per_n"):
        here = real.filter(pl.col("scale") == "160m")[name].to_numpy()
        np.testing.assert_allclose(line(found, scale="160m", channel=name), here)
        means = real.group_by("step").agg(pl.col(name).mean()).sort("step")[name].to_numpy()
        np.testing.assert_allclose(line(found, scale="all", channel=name), means)
    z = fit_exponents(cascades).filter(pl.col("variant") == "real", pl.col("exponent") == "z")["value"].to_numpy()
    np.testing.assert_array_equal(line(found, scale="all", channel="z"), z)
    gone = cascades.filter((pl.col("scale") != "70m") | (pl.col("step") != 9000))
    assert len(line(channel_series(gone), scale="all", channel="v_rel")) == len(STEPS) - 1


def test_metric_series_are_logs_and_slopes(metrics: pl.DataFrame) -> None:
    found = metric_series(metrics, SIZES)
    at = metrics.filter(pl.col("step") == 9000)["value"].log().to_numpy()
    slope = np.polyfit(np.log(list(SIZES.values())), at, 1)[0]
    assert line(found, scale="all", metric="slope of accuracy", step=9000) == pytest.approx([slope])
    assert line(found, scale="160m", metric="log accuracy", step=9000) == pytest.approx(at[1:2])


def test_every_number_written_out(cascades: pl.DataFrame, metrics: pl.DataFrame) -> None:
    series, theirs = channel_series(cascades), metric_series(metrics, SIZES)
    found = associations(series, theirs)
    assert found.schema == ASSOCIATION_SCHEMA
    assert found.height == 3 * 2 + 6
    row = found.filter(pl.col("scale") == "160m", pl.col("channel") == "v_rel").row(0, named=True)
    x = line(series, scale="160m", channel="v_rel")[5:]
    twin = line(series, scale="160m", channel="duration_per_n")[5:]
    y = line(theirs, scale="160m", metric="log accuracy")
    rate = published_schedules()["pythia"](STEPS[5:])

    def without(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a - np.polyval(np.polyfit(b, a, 1), b)

    expected: dict[str, Any] = {
        "pearson": stats.pearsonr(x, y)[0],
        "p_naive": stats.pearsonr(x, y)[1],
        "p": shift_test(x[None], y[None])[1][0],
        "partial": stats.pearsonr(without(x, rate), without(y, rate))[0],
        "spearman": stats.spearmanr(x, y)[0],
        "difference": stats.pearsonr(np.diff(x), np.diff(y))[0],
        "p_difference": shift_test(np.diff(x)[None], np.diff(y)[None])[1][0],
        "given_twin": stats.pearsonr(without(x, twin), without(y, twin))[0],
    }
    for name, value in expected.items():
        assert row[name] == pytest.approx(value, rel=1e-7), name
    assert row["n_steps"] == 35 and row["reason"] is None
    np.testing.assert_allclose(found["q"], stats.false_discovery_control(found["p"].to_numpy()))
    assert found.filter(pl.col("channel") == "z")["given_twin"].to_list() == [None]


def test_families_without_a_schedule_have_no_partial(cascades: pl.DataFrame, metrics: pl.DataFrame) -> None:
    own = [table.with_columns(family=pl.lit("mine")) for table in (cascades, metrics)]
    found = associations(channel_series(own[0]), metric_series(own[1], SIZES))
    assert found["partial"].null_count() == found["q_partial"].null_count() == found.height
    assert found["pearson"].null_count() == 0


def test_what_is_missing_is_said(cascades: pl.DataFrame, metrics: pl.DataFrame) -> None:
    series = channel_series(cascades)
    few = associations(series, metric_series(metrics.filter(pl.col("step") < 10_000), SIZES))
    assert few["reason"].unique().to_list() == ["only 4 steps have both; a test by shifts needs 10"]
    flat = associations(series, metric_series(metrics.with_columns(value=pl.lit(0.5)), SIZES))
    assert "the metric is the same at every step" in flat["reason"].to_list()
    still = cascades.with_columns(duration=pl.lit(9))
    found = associations(channel_series(still), metric_series(metrics, SIZES))
    row = found.filter(pl.col("scale") == "70m", pl.col("channel") == "duration_per_n").row(0, named=True)
    assert row["reason"] == "the channel is the same at every step" and row["pearson"] is None
    other = associations(series, metric_series(metrics.with_columns(family=pl.lit("other")), SIZES))
    assert other.is_empty() and other.schema == ASSOCIATION_SCHEMA
    with pytest.raises(InputError, match="lacks the column channel"):
        associations(series.drop("channel"), metric_series(metrics, SIZES))


def test_discoveries_are_those_of_small_q_strongest_first() -> None:
    rows = [(0.5, 0.04), (-0.9, 0.05), (0.95, 0.06), (None, 0.01), (0.7, None)]
    table = pl.DataFrame(rows, schema=["detrended", "q_detrended"], orient="row")
    assert discoveries(table)["detrended"].to_list() == [-0.9, 0.5]
    assert discoveries(table, 0.1)["detrended"].to_list() == [0.95, -0.9, 0.5]
