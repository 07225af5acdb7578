from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcascade.errors import InputError
from gradcascade.scaling.tertiles import TERTILES, summarise_tertiles, tertile


def values(steps: list[int], family: str = "pico-lm") -> pl.DataFrame:
    numbers = [float(step**2) for step in steps]
    columns = {"family": family, "field": "gradient", "step": pl.Series(steps, dtype=pl.Int64), "variant": "real"}
    return pl.DataFrame(columns | {"value": pl.Series(numbers, dtype=pl.Float64)})


def test_thirds_are_cut_by_the_count_of_steps_not_by_their_size() -> None:
    table = values([1, 2, 4, 8, 1000, 2000, 3000])
    assert tertile(table, (1, 3000)).to_list() == ["early"] * 3 + ["middle"] * 2 + ["late"] * 2
    assert tertile(table, (2, 3000)).to_list() == [None, "early", "early", "middle", "middle", "late", "late"]


@given(st.lists(st.integers(0, 10**6), min_size=3, max_size=60))
def test_thirds_are_equal_and_in_order_whatever_the_order_of_the_rows(steps: list[int]) -> None:
    table = values(steps)
    found = tertile(table, (0, 10**6))
    by_step = dict(zip(steps, found.to_list(), strict=True))
    ordered = [by_step[step] for step in sorted(by_step)]
    if len(by_step) < 3:
        assert found.is_null().all()
        return
    assert ordered == sorted(ordered, key=TERTILES.index)
    counts = [ordered.count(name) for name in TERTILES]
    assert max(counts) - min(counts) <= 1 and sum(counts) == len(by_step)


def test_means_and_spreads_are_those_of_the_thirds() -> None:
    table = values([10, 20, 30, 40, 50, 60, 70, 80, 90])
    rows = summarise_tertiles(table.sample(fraction=1, shuffle=True, seed=1), ["variant"], (10, 90))
    assert rows["tertile"].to_list() == list(TERTILES)
    assert rows["mean"].to_list() == pytest.approx([1400 / 3, 7700 / 3, 19400 / 3])
    assert rows["sd"][0] == pytest.approx(pl.Series([100.0, 400.0, 900.0]).std())
    assert rows.select("first_step", "last_step", "n_steps").rows() == [(10, 30, 3), (40, 60, 3), (70, 90, 3)]


def test_missing_values_leave_the_cut_where_it_is() -> None:
    table = values([10, 20, 30, 40, 50, 60]).with_columns(value=pl.when(pl.col("step") != 20).then("value"))
    rows = summarise_tertiles(table, ["variant"], (10, 60))
    assert rows.select("tertile", "n_steps", "sd").rows()[0] == ("early", 1, None)
    assert rows["first_step"].to_list() == [10, 30, 50]


def test_families_have_windows_of_their_own() -> None:
    table = pl.concat([values([1, 2, 3]), values([7, 8, 9], "pythia")])
    window = {("pico-lm", "gradient"): (1, 3), ("pythia", "gradient"): (8, 9)}
    assert tertile(table, window).to_list() == [*TERTILES, None, None, None]


def test_a_table_without_values_is_refused() -> None:
    with pytest.raises(InputError, match="lacks the column value"):
        summarise_tertiles(values([1, 2, 3]).drop("value"), ["variant"])
