from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from gradcascade.scaling.choice_shifts import PLANNED
from gradcascade.scaling.exponents import fit_exponents
from gradcascade.scaling.order_sensitivity import (
    SPREAD_SCHEMA,
    VALUE_SCHEMA,
    order_scatter,
    order_spread,
    order_values,
)

Build = Callable[..., pl.DataFrame]


def chosen(table: pl.DataFrame, name: str, kind: str = "order") -> pl.DataFrame:
    return table.with_columns(choice=pl.lit(name), kind=pl.lit(kind))


def longer(table: pl.DataFrame, exponent: float) -> pl.DataFrame:
    n = pl.col("n").cast(pl.Float64)
    return table.with_columns(duration=pl.col("duration").cast(pl.Float64) * (n / 36_864) ** exponent)


def planted(cascades: Build, shifts: dict[str, float], steps: range = range(8)) -> pl.DataFrame:
    base = cascades(steps=steps)
    return pl.concat(
        [
            chosen(longer(base, 0.0), PLANNED, "plan"),
            *(chosen(longer(base, shift), f"order {name}") for name, shift in shifts.items()),
            chosen(longer(cascades(steps=steps, replicates=3, seed=1), 0.02), "N2", "control"),
            chosen(longer(base, 0.9), "alpha 0.2", "alpha"),
        ]
    )


def test_planted_orders_are_found(cascades: Build) -> None:
    table = planted(cascades, {"random 2": 0.1, "random 10": -0.1, "file": 0.05, "grouped": 0.0})
    values = order_values(table)
    assert values.columns == list(VALUE_SCHEMA) and set(values["n_steps"]) == {8}
    z = values.filter(pl.col("exponent") == "z")
    assert z["order"].to_list() == [PLANNED, "file", "grouped", "random 2", "random 10", "N2"]
    fitted = fit_exponents(cascades(steps=range(8))).filter(pl.col("exponent") == "z")["value"].to_numpy().mean()
    assert z["value"][0] == pytest.approx(fitted)
    np.testing.assert_allclose(z["value"].to_numpy()[:5] - z["value"][0], [0, 0.05, 0, 0.1, -0.1], atol=1e-12)
    spread = order_spread(values)
    assert spread.columns == list(SPREAD_SCHEMA)
    row = spread.row(by_predicate=pl.col("exponent") == "z", named=True)
    moved = np.array([0, 0.05, 0.1, -0.1])  # grouped is the planned order, and counts once
    assert row["n_orders"] == 4 and row["sd"] == pytest.approx(moved.std(ddof=1))
    assert (row["lowest"], row["highest"]) == pytest.approx((fitted - 0.1, fitted + 0.1))
    assert row["free"] == z["value"][5] and row["free_low"] < row["free"] < row["free_high"]
    flat = spread.row(by_predicate=pl.col("exponent") == "D", named=True)
    assert flat["sd"] == pytest.approx(0, abs=1e-12)


def test_the_interval_of_the_spread_holds_it_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    exponents = {"D": 1.0, "z": 0.0, "beta": 1.0, "delta": 0.0}
    rows = [
        (f"f{family}", "update", name, order, level + 0.03 * rng.standard_normal(), None, None, 8, None, None)
        for family in range(400)
        for name, level in exponents.items()
        for order in (PLANNED, *(f"random {k}" for k in range(7)))
    ]
    spread = order_spread(pl.DataFrame(rows, schema=VALUE_SCHEMA, orient="row"))
    held = spread.select(((pl.col("sd_low") < 0.03) & (pl.col("sd_high") > 0.03)).mean()).item()
    assert held == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / 1600))


def test_only_what_every_order_has_is_compared(cascades: Build) -> None:
    table = planted(cascades, {"file": 0.1, "reversed": -0.1})
    gone = (pl.col("choice") == "order file") & (pl.col("step") < 2)
    stuck = (pl.col("choice") == "order reversed") & (pl.col("step") == 7)
    table = table.filter(~gone).with_columns(ceiling=stuck)
    values = order_values(table)
    assert set(values["n_steps"]) == {5}
    once = pl.concat([table, chosen(longer(cascades(steps=[4]), 0.0), "order sorted")])
    assert order_values(once).equals(values)  # measured at one step of eight: left out


def test_few_steps_have_no_interval_and_say_so(cascades: Build) -> None:
    values = order_values(planted(cascades, {"file": 0.1}, range(3)))
    assert values["low"].null_count() == values.height and values["reason"].null_count() == 0


def test_nothing_but_the_plan_gives_no_rows(cascades: Build) -> None:
    values = order_values(planted(cascades, {}))
    assert values.is_empty() and values.columns == list(VALUE_SCHEMA)
    assert order_spread(values).is_empty() and order_spread(values).columns == list(SPREAD_SCHEMA)


def test_without_n2_there_is_no_order_free_value(cascades: Build) -> None:
    table = planted(cascades, {"file": 0.1}).filter(pl.col("choice") != "N2")
    spread = order_spread(order_values(table))
    assert spread["free"].null_count() == spread.height == 4 and spread["sd"].null_count() == 0


def test_the_scatter_over_orders_is_that_within_a_step(cascades: Build) -> None:
    base = cascades(steps=range(8))
    factors = {PLANNED: 1.0, "order a": 1.1, "order b": 0.95, "order as planned": 1.0}
    parts = [
        chosen(base.with_columns(duration=pl.col("duration") * factor), name, "plan" if name == PLANNED else "order")
        for name, factor in factors.items()
    ]
    found = order_scatter(pl.concat([*parts, chosen(longer(base, 0.9), "alpha 0.2", "alpha")]))
    sd = np.log([1.0, 1.1, 0.95]).std(ddof=1)  # an order in which nothing differs is no further one
    known = dict(found.select("channel", "order_sd").iter_rows())
    assert known["duration"] == pytest.approx(sd) and known["size"] == pytest.approx(0, abs=1e-12)
    assert known["v_rel"] == pytest.approx(sd)
    assert order_scatter(pl.concat(parts[:1])).is_empty()
