"""What is asked of matched runs, how it is corrected, and that only what is there is claimed."""

from collections import Counter

import numpy as np
import polars as pl
import pytest
from matched_runs import level, matched

from gradcascade.scaling.design import Design
from gradcascade.scaling.ladder import Ladder
from gradcascade.scaling.ladder_compressibility import seed_r2
from gradcascade.scaling.ladder_power import RUN_SD, planned_smallest, primary_power
from gradcascade.scaling.ladder_questions import (
    CONDITION_AT,
    CONDITIONS,
    ENDS,
    KIND_BY,
    PRIMARY,
    REST,
    SHORT,
    SPAN,
    SPAN_BY,
    STEP,
    SUPPORTING,
    answers,
    questions,
)
from gradcascade.scaling.multiplicity import holm

ADAM, SGD = "adamw-constant", "sgd-momentum-constant"


def laddered(table, conditions=(ADAM, SGD)) -> Ladder:
    return Ladder.of(table, (100, 400), conditions)


def answered(ladder: Ladder) -> pl.DataFrame:
    return answers(ladder, seed_r2(ladder))


@pytest.fixture(scope="module")
def ladder() -> Ladder:
    return laddered(matched(variants=("real",)))


@pytest.fixture(scope="module")
def found(ladder) -> pl.DataFrame:
    return answered(ladder)


def test_everything_is_asked_once(ladder):
    asked = questions(ladder)
    assert Counter(each.kind for each in asked) == {
        ENDS: 2, CONDITIONS: 1, SHORT: 1, STEP: 8, CONDITION_AT: 4, SPAN: 2, KIND_BY: 1, SPAN_BY: 1,
    }  # fmt: skip
    assert len({each.sum.name for each in asked}) == len(asked)
    assert [each.kind for each in asked if each.primary] == [ENDS, CONDITIONS]
    assert all(abs(sum(each.sum.weights.values())) < 1e-12 for each in asked)


def test_of_one_condition_and_of_gradients_alone_only_what_can_be_asked_is():
    one = laddered(matched(variants=("real",), conditions=(ADAM,), steps=2))
    assert {each.kind for each in questions(one)} == {ENDS, SHORT, STEP, SPAN}
    gradients = laddered(matched(variants=("real",), rungs=[("gradient", None)], steps=2))
    assert [(each.kind, each.primary) for each in questions(gradients)] == [(CONDITIONS, True)]


def test_a_planted_change_of_regime_is_found_at_its_rung_and_only_there(found):
    steps = found.filter(pl.col("kind") == STEP, pl.col("exponent") == "z", "shown")
    assert steps.select("condition", "rung").rows() == [(ADAM, "update 1")]
    ends, conditions = found.filter(pl.col("list") == PRIMARY).to_dicts()
    assert ends["shown"] and ends["low"] < 0.11 < ends["high"]
    assert not conditions["shown"]
    both = found.filter(pl.col("kind") == KIND_BY, pl.col("exponent") == "z").row(0, named=True)
    assert both["shown"] and both["low"] < 0.11 < both["high"]


def test_where_nothing_is_planted_nothing_is_claimed():
    null = answered(laddered(matched(seed=3, z=level, variants=("real",), scale_sd=0.01)))
    assert not null["shown"].any()
    assert null["p"].is_not_null().sum() > 50


def test_every_list_is_corrected_over_itself_and_the_primary_one_is_not(found):
    for name in (PRIMARY, REST, SUPPORTING):
        own = found.filter(pl.col("list") == name, pl.col("duration") == "n_steps")
        p = own["p"].fill_null(np.nan).to_numpy()
        expected = p if name == PRIMARY else holm(p)
        assert own["p_adjusted"].fill_null(np.nan).to_numpy() == pytest.approx(expected, nan_ok=True)
    assert found.filter(pl.col("list") == PRIMARY)["exponent"].to_list() == ["z", "z"]
    assert found["shown"].to_list() == (found["p_adjusted"] <= 0.05).fill_null(False).to_list()


def test_by_the_extinction_time_questions_are_repeated_and_nothing_is_claimed():
    twice = answered(laddered(matched(variants=("real",), activity=True, steps=2)))
    again = twice.filter(pl.col("duration") == "continuous")
    assert again.height == 2 * twice["name"].n_unique() and again["p"].is_not_null().any()
    assert again["p_adjusted"].is_null().all() and not again["shown"].any()


def test_a_direction_that_is_the_momentum_is_no_step_of_the_ladder():
    table = matched(variants=("real",))
    sgd = pl.col("family") == SGD
    momenta = table.filter(sgd, pl.col("field") == "momentum").with_columns(field=pl.lit("direction"))
    same = answered(laddered(pl.concat([table.filter(~(sgd & (pl.col("field") == "direction"))), momenta])))
    row = same.filter(pl.col("name") == f"{SGD}: momentum to direction", pl.col("exponent") == "z").row(0, named=True)
    assert row["code"] == "identical-fields" and row["p_adjusted"] is None and not row["shown"]


def test_growth_with_the_span_is_per_factor_e():
    def growing(condition, rung):
        return {3: 0.0, 4: 0.1}.get(rung, 0.0)  # spans 1 and 10

    rows = answered(laddered(matched(z=growing, variants=("real",)))).filter(kind=SPAN, exponent="z", condition=ADAM)
    assert rows["value"].item() == pytest.approx(0.1 / np.log(10), abs=0.01)


def test_power_before_is_that_of_the_plan_and_after_that_of_the_runs(ladder, found):
    power = primary_power(ladder, found)
    sizes = sorted(ladder.points.run_logs["n"].unique())
    before = power.filter(when="before")
    assert before["smallest"].to_list() == pytest.approx([planned_smallest(sizes, 4)] * 2)
    assert before["run_sd"].to_list() == pytest.approx([RUN_SD * 2**0.5] * 2)
    after = power.filter(when="after").row(0, named=True)
    row = found.filter(list=PRIMARY, kind=ENDS).row(0, named=True)
    design = Design.of(sizes, 4, row["run_sd"], scale_sd=row["scale_sd"])
    assert after["smallest"] == pytest.approx(design.smallest()) and after["smallest"] < before["smallest"][0]


def test_without_an_answer_there_is_no_power_after():
    few = matched(variants=("real",), steps=2).filter(pl.col("scale").is_in(["d16", "d24"]))
    ladder = laddered(few)
    power = primary_power(ladder, answered(ladder))
    assert power["smallest"].is_null().all() and power["reason"].is_not_null().all()
