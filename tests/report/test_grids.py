from __future__ import annotations

import polars as pl
import pytest

from gradcascade.report.grids import Cell, as_table, tree


def test_cells_keep_the_number_behind_the_text() -> None:
    frame = pl.DataFrame({"n": [1234567], "z": [-0.123456789], "R2_z": [0.5], "name": ["<b>"], "none": [None]})
    (row,) = as_table(frame, "all").rows
    assert row == (
        Cell("1,234,567", "1234567"),
        Cell("−0.1235", "-0.1234568"),
        Cell("0.500", "0.5"),
        Cell("<b>"),
        Cell("–"),
    )


def test_a_table_is_cut_and_says_how_long_it_is() -> None:
    table = as_table(pl.DataFrame({"a": range(10)}), "ten", limit=3)
    assert (len(table.rows), table.total) == (3, 10)


@pytest.mark.parametrize(
    ("cells", "right"),
    [
        (["+0.123", "–"], True),
        (["1.05 ± 0.01"], True),
        (["−0.1 to +0.2"], True),
        (["75 %"], True),
        (["–", "–"], False),
        (["d24"], False),
        (["+0.1", "none"], False),
    ],
)
def test_columns_of_written_numbers_stand_at_the_right(cells: list[str], right: bool) -> None:
    assert as_table(pl.DataFrame({"a": cells}), "x").columns == (("a", right),)


def test_settings_become_names_with_text_or_branches() -> None:
    assert tree({"a": {"b": [1, 2]}, "c": None}) == [("a", [("b", "1, 2")]), ("c", "–")]
    assert tree([{"x": 1}]) == [("1", [("x", "1")])]
