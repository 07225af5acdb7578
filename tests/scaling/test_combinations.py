"""Sums of fields of the same runs: against the estimator of two fields, by hand, and where there is none."""

import numpy as np
import polars as pl
import pytest
from matched_runs import SIZES, level, matched

from gradcascade.scaling.combinations import (
    Combination,
    combined,
)
from gradcascade.scaling.contrasts import field_contrasts
from gradcascade.scaling.ladder import Ladder

ADAM, SGD = "adamw-constant", "sgd-momentum-constant"
WINDOW = (100, 400)


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return matched(variants=("real",), scale_sd=0.01)


def points(table):
    return Ladder.of(table, WINDOW).points


def of(table, *asked, exponent="z"):
    return [row for row in combined(points(table), asked, WINDOW).to_dicts() if row["exponent"] == exponent]


ENDS = Combination.difference("ends", (ADAM, "gradient"), (ADAM, "update 10"))
THEIRS = Combination.difference("theirs", (SGD, "gradient"), (SGD, "update 10"))


def test_two_fields_of_one_family_are_those_of_the_contrasts(table):
    kept = table.filter(pl.col("family") == ADAM, pl.col("field") != "update")
    known = field_contrasts(kept, WINDOW).filter(first="gradient", second="direction")
    ours = combined(points(kept), [Combination.difference("x", (ADAM, "gradient"), (ADAM, "direction"))], WINDOW)
    for name in ("value", "se", "low", "high"):
        assert ours[name].to_list() == pytest.approx(known[f"scales_{name}"].to_list(), rel=1e-9)


def test_a_difference_by_hand(table):
    def means(rung, span):
        own = table.filter(pl.col("family") == ADAM, pl.col("field") == rung)
        own = own.filter(pl.col("span") == span) if span else own
        return own.group_by("scale", "run").agg(pl.col("duration").log().mean()).sort("scale", "run")

    gap = means("gradient", None)["duration"] - means("update", 10)["duration"]
    per_scale = gap.to_numpy().reshape(len(SIZES), 4).mean(axis=1)
    (row,) = of(table, ENDS)
    assert row["value"] == pytest.approx(np.polyfit(np.log(list(SIZES.values())), per_scale, 1)[0])
    assert (row["n_scales"], row["n_runs"], row["n_steps"]) == (4, 16, 4)


def test_what_runs_share_drops_out_of_a_difference_but_not_of_a_level(table):
    wild = matched(variants=("real",), shared_sd=0.5)
    (row,) = of(wild, ENDS)
    alone = Combination("alone", {(ADAM, "gradient"): 1.0})
    (level_row,) = of(wild, alone)
    assert row["run_sd"] < 0.03 < 0.3 < level_row["run_sd"]
    assert row["low"] < 0.11 < row["high"] and row["high"] - row["low"] < 0.05


def test_a_difference_of_differences_is_the_difference_of_their_answers(table):
    both = ENDS.less(THEIRS, "both")
    ours, theirs, gap = of(table, ENDS, THEIRS, both)
    assert gap["value"] == pytest.approx(ours["value"] - theirs["value"])
    assert ENDS.less(ENDS, "nothing").weights == {}


def test_delta_of_a_difference_is_that_of_sizes_less_that_of_durations(table):
    found = {row["exponent"]: row["value"] for row in combined(points(table), [ENDS], WINDOW).to_dicts()}
    assert found["delta"] == pytest.approx(found["D"] - found["z"])
    assert found["delta"] == pytest.approx(found["beta"])


def test_missing_cascades_leave_the_difference_where_it_is():
    table = matched(variants=("real",), step_sd=0.0)
    (whole,) = of(table, ENDS)
    holes = table.filter(~((pl.col("run") == "1") & (pl.col("step") == 200) & (pl.col("scale") == "d96")))
    (less,) = of(holes, ENDS)
    assert less["value"] == pytest.approx(whole["value"]) and less["n_runs"] == 16
    (short,) = of(table.filter(~((pl.col("run") == "1") & (pl.col("scale") == "d96"))), ENDS)
    assert short["n_runs"] == 15 and abs(short["value"] - whole["value"]) < 0.01


def test_fields_that_cannot_be_subtracted_say_why(table):
    larger = table.with_columns(n=pl.when(pl.col("field") == "momentum").then(pl.col("n") * 2).otherwise("n"))
    (row,) = of(larger, Combination.difference("x", (ADAM, "gradient"), (ADAM, "momentum")))
    assert row["value"] is None and row["code"] == "unequal-fields"
    (row,) = of(table, Combination.difference("x", (ADAM, "gradient"), ("lion", "gradient")))
    assert row["value"] is None and row["code"] == "nothing-in-common"
    few = table.filter(pl.col("scale").is_in(["d16", "d24"]))
    (row,) = of(few, ENDS)
    assert row["value"] is None and "only 2 scales" in row["reason"]


def test_a_field_less_itself_is_no_question():
    table = matched(z=level, variants=("real",))
    momenta = table.filter(pl.col("field") == "momentum")
    twice = pl.concat([table.filter(pl.col("field") != "direction"), momenta.with_columns(field=pl.lit("direction"))])
    (row,) = of(twice, Combination.difference("x", (SGD, "momentum"), (SGD, "direction")))
    assert (row["value"], row["p"], row["code"]) == (0.0, None, "identical-fields")
