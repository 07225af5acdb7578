from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from gradcascade.errors import InputError
from gradcascade.scaling.table_checks import (
    group_starts,
    require_columns,
    require_numbers,
    require_unique,
    require_values,
    spread,
)

TABLE = pl.DataFrame({"a": [1, 1, 2, 2, 2], "b": ["x", "y", "x", "x", "z"], "c": [0.5, 1.5, 2.5, 3.5, 4.5]})


def test_group_starts() -> None:
    np.testing.assert_array_equal(group_starts(TABLE, ["a"]), [0, 2])
    np.testing.assert_array_equal(group_starts(TABLE, ["a", "b"]), [0, 1, 2, 4])
    assert group_starts(TABLE[:0], ["a"]).size == 0


def test_spread_makes_every_column() -> None:
    found = spread(TABLE[:3].reverse(), ["a"], "b", ["y", "x", "w"], "c")
    assert found.columns == ["a", "y", "x", "w"]
    assert found.rows() == [(1, 1.5, 0.5, None), (2, None, 2.5, None)]


def test_sound_tables_pass() -> None:
    require_columns(TABLE, ("a", "b"), "table")
    require_values(TABLE, ("a", "b", "c"), "table")
    require_numbers(TABLE, ("a", "c"), "table")
    require_unique(TABLE, ["a", "c"], "table", "")


@pytest.mark.parametrize("hole", [None, math.nan, math.inf, -math.inf], ids=str)
def test_holes_are_counted_and_placed(hole: float | None) -> None:
    table = pl.DataFrame({"c": [1.0, 2.0, hole, hole]})
    with pytest.raises(InputError, match=r"the table has no finite value for c in 2 of 4 rows, first in row 2;"):
        require_values(table, ("c",), "table")


def test_repeated_rows_are_counted_and_named() -> None:
    with pytest.raises(InputError, match=r"the table has 2 rows that share .* first a 2, b x; keep one"):
        require_unique(TABLE, ["a", "b"], "table", "keep one")


def test_missing_columns_of_an_empty_table() -> None:
    with pytest.raises(InputError, match=r"the table lacks the column a \(it has none\); add or rename"):
        require_columns(pl.DataFrame(), ("a",), "table")
