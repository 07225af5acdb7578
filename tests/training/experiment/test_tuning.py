"""The search for a rate: it ends inside what it tried, whatever the losses."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcascade.training.experiment.plan import ExperimentPlan, TuningPlan
from gradcascade.training.experiment.tuning import (
    best,
    grid,
    neighbours,
    next_rate,
    rate_at,
    rule_note,
    transfer_note,
)


def search(plan, loss, middle=1.0):
    losses = {rate: loss(rate) for rate in grid(plan, middle)}
    while (rate := next_rate(plan, losses)) is not None:
        losses[rate] = loss(rate)
    return losses


def test_the_grid_has_the_optimizers_own_rate_in_the_middle():
    assert grid(TuningPlan(rates=5, factor=2), 1.0) == (0.25, 0.5, 1, 2, 4)
    assert grid(TuningPlan(rates=1), 1.0) == (1.0,)


@given(lowest=st.integers(-8, 8), breaks=st.integers(1, 4))
def test_a_valley_within_reach_is_found_from_either_side(lowest, breaks):
    plan = TuningPlan(rates=3, further=12)

    def loss(rate):
        power = round(math.log2(rate))
        return None if power > lowest + breaks else abs(power - lowest) + 1.0

    losses = search(plan, loss)
    found = best(losses)
    assert (found.rate, found.at_end) == (2.0**lowest, False)
    assert {2.0 ** (lowest - 1), 2.0 ** (lowest + 1)} <= losses.keys()


def test_the_search_is_bounded_and_says_so():
    losses = search(TuningPlan(rates=3, further=2), lambda rate: 1 / rate)
    assert sorted(losses) == [0.5, 1, 2, 4, 8]
    assert best(losses).at_end
    assert best({1.0: None, 2.0: math.nan}).rate is None
    assert sorted(search(TuningPlan(rates=3, further=1), lambda rate: None)) == [0.25, 0.5, 1, 2]


def test_of_equal_losses_the_lower_rate_counts():
    assert best({1.0: 3.0, 2.0: 2.0, 4.0: 2.0, 8.0: 3.0}).rate == 2.0


def test_rates_go_to_larger_scales_by_the_stated_rule():
    plan = ExperimentPlan(optimizers=("adamw", "sgd-momentum"))
    assert [rate_at(plan, "adamw", 0.008, width) for width in (24, 96)] == pytest.approx([0.008, 0.002])
    assert rate_at(plan, "sgd-momentum", 0.1, 144) == 0.1
    same = ExperimentPlan(tuning=TuningPlan(transfer="same"))
    assert rate_at(same, "adamw", 0.008, 144) == 0.008


def test_what_the_transfer_costs_is_said():
    assert neighbours(TuningPlan(factor=4), 0.1) == pytest.approx((0.025, 0.1, 0.4))

    def said(*losses):
        tried = [{"rate": rate, "loss": loss} for rate, loss in zip((0.5, 1.0, 2.0), losses, strict=True)]
        return transfer_note("sgd-constant", {"d24": 1.0, "d96": 1.0}, {"scale": "d96", "tried": tried})

    assert said(3.0, 2.0, None) == said(2.0 + 1e-9, 2.0, 5.0) == []
    assert said(2.5, 2.75, 3.0) == [
        "sgd-constant at d96, with the seed of the tuning: rate 0.5 ends at 2.500 nats per byte, the transferred "
        "one, 1, at 2.750"
    ]
    assert said(2.5, None, None)[0].endswith("the transferred one, 1, diverges")
    assert transfer_note("sgd-constant", {}, None) == []


def test_optimizers_whose_rates_go_different_ways_are_said_to_differ_in_that_too():
    [note] = rule_note(ExperimentPlan())
    assert "(adamw -1, sgd-momentum 0)" in note
    assert rule_note(ExperimentPlan(tuning=TuningPlan(transfer="same"))) == []
    assert rule_note(ExperimentPlan(optimizers=("sgd", "sgd-momentum"))) == []
    assert rule_note(ExperimentPlan(widths=(24,))) == []
