from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from tests.scaling.test_collapse import PICO, SMALL, branching

from gradcascade.scaling.points import Points
from gradcascade.scaling.profile_collapse import (
    STEP_SCHEMA,
    WINDOW_SCHEMA,
    collapse_of,
    collapses_of,
    fit_collapse,
    window_collapse,
)

STEPS = 8
RATE = 1.4
"""Decay of normal noise by relaxation step, in logarithms."""


def table(
    sizes: tuple[int, ...], z: float, runs: int = 1, run_sd: float = 0.0, draws: int = 2, length: float = 0.7
) -> pl.DataFrame:
    """Cascades of real fields that last ``length N^z``, and of noise that decays at one rate."""
    rng = np.random.default_rng(7)
    rows = []
    for scale, n in enumerate(sizes):
        for run in range(runs):
            life = length * n**z * math.exp(run_sd * rng.normal())
            lives = [("real", 0, life)] + [("N0", draw, math.log(0.1 * n) / RATE) for draw in range(draws)]
            for step in range(STEPS):
                for variant, replicate, lifetime in lives:
                    activity = branching(n, lifetime, rng)
                    rows.append(
                        {
                            "family": "planted",
                            "scale": f"s{scale}",
                            "run": str(run),
                            "step": step,
                            "field": "gradient",
                            "variant": variant,
                            "replicate": replicate,
                            "n": n,
                            "size": sum(activity),
                            "duration": len(activity),
                            "ceiling": False,
                            "activity": activity,
                        }
                    )
    return pl.DataFrame(rows)


@pytest.fixture(scope="module")
def pico() -> pl.DataFrame:
    return table(PICO, 0.2)


def only(found: pl.DataFrame, variant: str, form: str) -> pl.DataFrame:
    return found.filter(pl.col("variant") == variant, pl.col("form") == form)


def test_steps_and_window_find_a_planted_exponent(pico: pl.DataFrame) -> None:
    collapses = collapses_of(pico)
    steps, window = fit_collapse(collapses), window_collapse(collapses, Points.of(pico))
    assert dict(steps.schema) == STEP_SCHEMA
    assert dict(window.schema) == WINDOW_SCHEMA
    assert steps.height == 2 * 2 * STEPS
    assert only(steps, "real", "duration")["z_best"].to_numpy() == pytest.approx(0.2, abs=0.002)
    assert only(steps, "real", "duration")["value"].to_numpy() == pytest.approx(0.2, abs=0.006)
    row = only(window, "real", "duration").row(0, named=True)
    assert row["z_best"] == pytest.approx(0.2, abs=0.001)
    assert row["scales_low"] < 0.2 < row["scales_high"]
    assert row["scales_high"] - row["scales_low"] < 0.01
    assert row["n_scales"] == 4
    assert row["draws_se"] is None


def test_noise_collapses_and_its_quality_is_the_null(pico: pl.DataFrame) -> None:
    window = window_collapse(collapses_of(pico), Points.of(pico))
    noise = only(window, "N0", "decay").row(0, named=True)
    assert noise["z_best"] == pytest.approx(0, abs=0.001)
    assert 0.6 < noise["quality"] < 1.3
    assert noise["quality"] < noise["quality_high"] < 2.5
    assert only(window, "real", "decay")["quality_high"][0] == noise["quality_high"]
    # What the draws contribute is what their scatter from step to step says: steps are independent draws here.
    scatter = only(fit_collapse(collapses_of(pico)), "N0", "decay").filter(pl.col("step") >= STEPS // 3)["value"]
    assert noise["draws_se"] == pytest.approx(np.std(scatter.to_numpy(), ddof=1) / math.sqrt(len(scatter)), rel=0.9)


def test_scales_off_the_power_law_spoil_s_but_not_the_shape() -> None:
    cascades = table(PICO, 0.2, run_sd=0.1)
    row = only(window_collapse(collapses_of(cascades), Points.of(cascades)), "real", "duration").row(0, named=True)
    assert row["quality"] > 100 * row["quality_high"]
    assert row["shape_quality"] < 1.3
    assert row["r2"] < 1


def test_runs_and_draws_are_sets_of_their_own() -> None:
    cascades = table(SMALL, 0.2, runs=3, run_sd=0.1)
    collapse = collapse_of(cascades, "duration")
    logs = collapse.points.run_logs.filter(pl.col("variant") == "real")
    assert logs.group_by("scale").agg(pl.col("run").n_unique())["run"].to_list() == [3] * 4
    # Each run keeps its own stretch: that of its cascades, whatever the other runs of the scale did.
    planted = {}
    rng = np.random.default_rng(7)
    for scale, n in enumerate(SMALL):
        for run in range(3):
            planted[f"s{scale}", str(run)] = math.log(n) * 0.2 + (shift := 0.1 * rng.normal())
            for _ in range(STEPS):
                for lifetime in (0.7 * n**0.2 * math.exp(shift), *[math.log(0.1 * n) / RATE] * 2):
                    branching(n, lifetime, rng)
    found = logs.group_by("scale", "run").agg(pl.col("log_duration").mean())
    pairs = np.array([(planted[scale, run], value) for scale, run, value in found.iter_rows()])
    off = pairs - pairs.mean(axis=0)
    assert off[:, 1] == pytest.approx(off[:, 0], abs=0.03)


def test_a_draw_that_runs_share_counts_once(pico: pl.DataFrame) -> None:
    """N0 follows from N and the seed alone, so it is the same for all runs of a scale."""
    twice = pl.concat([pico, pico.with_columns(run=pl.lit("1"))])
    alone, shared = (only(fit_collapse(collapses_of(each)), "N0", "duration") for each in (pico, twice))
    assert shared["quality"].to_list() == pytest.approx(alone["quality"].to_list())
    assert shared["shape_quality"].to_list() == pytest.approx(alone["shape_quality"].to_list())
    assert shared["value"].to_list() == pytest.approx(alone["value"].to_list())
    errors = [window_collapse(collapses_of(cascades), Points.of(cascades)) for cascades in (pico, twice)]
    first, second = (only(found, "N0", "duration")["draws_se"][0] for found in errors)
    assert first == pytest.approx(second)


def test_two_scales_and_profiles_that_do_not_meet_have_reasons(pico: pl.DataFrame) -> None:
    two = pico.filter(pl.col("scale").is_in(["s0", "s1"]))
    found = fit_collapse(collapses_of(two))
    assert found["z_best"].null_count() == found.height
    assert found["reason"].str.contains("scales left").all() or found["reason"].str.contains("a fit needs 3").all()
    short = pl.concat([two, pico.filter(pl.col("scale") == "s2").with_columns(activity=pl.lit([5, 2]))])
    reasons = fit_collapse(collapses_of(short))["reason"]
    assert reasons.str.contains("s2 has a profile that meets that of no other scale").all()


def test_a_table_without_a_single_profile_gives_an_empty_answer(pico: pl.DataFrame) -> None:
    nothing = pico.with_columns(activity=pl.lit(None, pl.List(pl.Int64)))
    found = fit_collapse(collapses_of(nothing))
    assert found["z_best"].null_count() == found.height == 2 * 2 * STEPS
    assert found["reason"].null_count() == 0


def test_cascades_at_the_ceiling_stay_out(pico: pl.DataFrame) -> None:
    more = pico.with_columns(ceiling=pl.col("scale") == "s3")
    found = only(fit_collapse(collapses_of(more)), "real", "duration")
    assert found["n_scales"].to_list() == [3] * STEPS
    assert found["z_best"].to_numpy() == pytest.approx(0.2, abs=0.01)
