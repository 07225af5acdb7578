"""Stretches of the ladder: found around a change, as short as they can be, and corrected as stated."""

import numpy as np
import polars as pl
import pytest
from matched_runs import falling, level, matched

from gradcascade.scaling.ladder import Ladder
from gradcascade.scaling.ladder_stretches import judged, stretches

ADAM, SGD = "adamw-constant", "sgd-momentum-constant"


def laddered(**settings) -> Ladder:
    return Ladder.of(matched(variants=("real",), **settings), (100, 400), [ADAM, SGD])


def shortest(found: pl.DataFrame, condition: str) -> list[tuple[str, str]]:
    return found.filter(pl.col("condition") == condition, "shortest").select("first", "last").rows()


def test_a_sharp_change_is_found_at_its_step():
    found = stretches(laddered())
    assert found.height == 2 * 10
    assert shortest(found, ADAM) == [("direction", "update 1")] and shortest(found, SGD) == []
    row = found.filter(first="gradient", last="update 10", condition=ADAM).row(0, named=True)
    assert row["steps"] == 4 and row["low"] < -0.11 < row["high"] and row["shown"] and not row["shortest"]


def test_a_change_in_small_steps_is_found_over_a_stretch():
    def gradual(condition, rung):
        return 0.16 - 0.02 * rung if condition == ADAM else 0.16

    (first, last), *more = shortest(stretches(laddered(z=gradual, own_sd=0.01, seed=2)), ADAM)
    names = ["gradient", "momentum", "direction", "update 1", "update 10"]
    assert names.index(last) - names.index(first) > 1 or more


def test_where_nothing_changes_nothing_is_found():
    assert not stretches(laddered(z=level, seed=3, scale_sd=0.01))["shown"].any()


def test_p_values_are_those_of_the_shares_of_all_around():
    rng = np.random.default_rng(4)
    p = np.full((5, 5), np.nan)
    for i in range(5):
        for j in range(i + 1, 5):
            p[i, j] = rng.random() ** 3
    steps, adjusted, _ = judged(p, times=2)
    for i in range(5):
        for j in range(i + 1, 5):
            around = [p[a, b] * 2 * 4 / (b - a) for a in range(i + 1) for b in range(j, 5)]
            assert steps[i, j] == j - i and adjusted[i, j] == pytest.approx(min(max(around), 1.0))


def test_rungs_that_are_the_same_field_are_no_step():
    p = np.full((4, 4), np.nan)
    p[0, 1] = p[0, 2] = p[0, 3] = 0.001
    p[1, 3] = p[2, 3] = 0.5  # 1 and 2 are the same
    steps, adjusted, shown = judged(p)
    assert steps[1, 2] == 0 and np.isnan(adjusted[1, 2]) and steps[0, 3] == 2
    assert adjusted[0, 1] == pytest.approx(0.002) and shown[0, 1] and not shown[0, 2]


def test_the_momentum_of_sgd_twice_is_left_out():
    table = matched(variants=("real",), z=falling)
    sgd = pl.col("family") == SGD
    momenta = table.filter(sgd, pl.col("field") == "momentum").with_columns(field=pl.lit("direction"))
    same = pl.concat([table.filter(~(sgd & (pl.col("field") == "direction"))), momenta])
    found = stretches(Ladder.of(same, (100, 400), [ADAM, SGD])).filter(pl.col("condition") == SGD)
    assert found.filter(first="momentum", last="direction")["steps"].item() == 0
    assert found.filter(first="gradient", last="update 10")["steps"].item() == 3
