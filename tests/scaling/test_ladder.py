"""The ladder: its rungs in order, what was planted on them, and its levels by hand."""

import numpy as np
import polars as pl
import pytest
from matched_runs import NOISE_Z, RUNGS, SIZES, falling, matched

from gradcascade.errors import InputError
from gradcascade.scaling.ladder import Ladder, Rung

ADAM = "adamw-constant"


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return matched(scale_sd=0.005)


@pytest.fixture(scope="module")
def ladder(table) -> Ladder:
    return Ladder.of(table, (100, 400), [ADAM])


def test_rungs_stand_in_their_order_and_unknown_kinds_last(table):
    odd = table.with_columns(field=pl.col("field").replace({"momentum": "aaa"}))
    names = [rung.name for rung in Ladder.of(odd).rungs]
    assert names == ["gradient", "direction", "update 1", "update 10", "aaa"]
    assert Rung("update", 10).name == "update 10" and Rung("gradient").name == "gradient"


def test_conditions_stand_in_the_order_given_and_those_without_a_field_are_named(table):
    found = Ladder.of(table, None, ["lion-constant", "sgd-momentum-constant"])
    assert found.conditions == ("sgd-momentum-constant", ADAM) and found.dropped == ("lion-constant",)
    assert found.window == (200, 400)


def test_every_planted_exponent_is_found(ladder):
    found = ladder.exponents().filter(pl.col("exponent") == "z", pl.col("variant") == "real").to_dicts()
    assert [(row["condition"], row["field"], row["span"]) for row in found] == [
        (condition, *rung) for condition in ladder.conditions for rung in RUNGS
    ]
    for row in found:
        planted = falling(row["condition"], RUNGS.index((row["field"], row["span"])))
        # Runs share their level over all rungs, so that all lie off together: by a shared slope at most.
        assert abs(row["value"] - planted) < 0.02
    inside = [row["low"] < falling(row["condition"], i % len(RUNGS)) < row["high"] for i, row in enumerate(found)]
    assert sum(inside) >= 9


def test_nulls_and_differences_to_them_are_there_at_every_rung(ladder):
    found = ladder.exponents().filter(pl.col("exponent") == "z", pl.col("rung") == "gradient")
    values = dict(found.filter(pl.col("condition") == ADAM).select("variant", "value").iter_rows())
    assert list(values) == ["real", "N0", "N2", "real - N0", "real - N2"]
    assert values["N0"] == pytest.approx(NOISE_Z, abs=0.01)
    assert values["real - N0"] == pytest.approx(values["real"] - values["N0"])
    assert values["real - N2"] == pytest.approx(0.0, abs=0.01)


def test_a_level_is_the_geometric_mean_at_the_mean_size(table, ladder):
    own = table.filter(pl.col("family") == ADAM, pl.col("field") == "gradient", pl.col("variant") == "real")
    row = (
        ladder.levels().filter(condition=ADAM, rung="gradient", variant="real", channel="duration").row(0, named=True)
    )
    assert row["value"] == pytest.approx(np.exp(own["duration"].log().mean()))
    assert row["n"] == round(np.exp(np.log(list(SIZES.values())).mean()))
    assert row["low"] < 15 < row["high"]
    v_rel = ladder.levels().filter(condition=ADAM, rung="gradient", variant="real", channel="v_rel")["value"].item()
    assert v_rel == pytest.approx(np.exp((own["size"] / own["n"] / own["duration"]).log().mean()))


def test_both_durations_where_there_are_profiles():
    found = Ladder.of(matched(activity=True, steps=2, variants=("real",))).exponents()
    assert found["duration"].unique(maintain_order=True).to_list() == ["n_steps", "continuous"]


def test_what_has_no_ladder_is_refused(table):
    with pytest.raises(InputError, match="no real field"):
        Ladder.of(table.filter(pl.col("variant") != "real"))
    with pytest.raises(InputError, match=r"500 to 900 holds no measured step; choose one within 100 to 400"):
        Ladder.of(table, (500, 900))
    with pytest.raises(InputError, match="lacks the column"):
        Ladder.of(table.drop("variant"))
