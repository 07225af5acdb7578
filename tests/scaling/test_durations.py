from __future__ import annotations

import polars as pl
import pytest

from gradcascade.scaling.durations import by_duration, duration_intervals, duration_verdicts, run_intervals
from gradcascade.scaling.points import Points
from gradcascade.scaling.profile_collapse import collapse_of
from gradcascade.scaling.window_means import window_intervals

from .test_collapse import PICO, SMALL
from .test_profile_collapse import table


def durations(cascades: pl.DataFrame) -> dict[str, Points]:
    points = Points.of(cascades)
    return by_duration(points, collapse_of(points, "duration"))


@pytest.fixture(scope="module")
def pico() -> dict[str, Points]:
    return durations(table(PICO, 0.2))


def test_verdicts_by_three_durations(pico: dict[str, Points]) -> None:
    found = duration_verdicts(pico)
    assert found["duration"].to_list() == ["n_steps", "continuous", "profile"]
    assert found["verdict"][2] == "duration-supported"
    widths = (found["z_high"] - found["z_low"]).to_list()
    assert widths[2] < min(widths[:2]) / 4


def test_intervals_by_three_durations_start_with_those_of_n_steps(pico: dict[str, Points]) -> None:
    found = duration_intervals(pico)
    plain = window_intervals(pico["n_steps"], along=False)
    ours = found.filter(pl.col("duration") == "n_steps").select(plain.columns)
    assert ours.equals(plain)
    z = found.filter(pl.col("exponent") == "z", pl.col("variant") == "real")["scales_value"].to_list()
    assert z == pytest.approx([0.2, 0.2, 0.2], abs=0.03)
    sizes = found.filter(pl.col("exponent") == "D", pl.col("variant") == "real")["scales_value"]
    assert sizes.n_unique() == 1  # no duration enters D


def test_runs_of_one_label_have_exponents_of_their_own() -> None:
    cascades = table(SMALL, 0.2, runs=3, run_sd=0.1)
    few = cascades.filter((pl.col("scale") != "s3") | (pl.col("run") == "0"))
    two = few.filter((pl.col("run") != "2") | pl.col("scale").is_in(["s0", "s1"]))
    found = run_intervals(durations(two))
    assert found["run"].unique().sort().to_list() == ["0", "1"]  # of run 2 there are two scales
    z = found.filter(pl.col("exponent") == "z", pl.col("duration") == "n_steps")
    assert z["n_scales"].to_list() == [4, 3]
    alone = window_intervals(two.filter(pl.col("run") == "1", pl.col("variant") == "real"), along=False)
    assert z["scales_value"][1] == alone.filter(pl.col("exponent") == "z")["scales_value"][0]


def test_without_several_runs_there_is_none_apart(pico: dict[str, Points]) -> None:
    assert run_intervals(pico).is_empty()
