"""One rule says whether an interval excludes zero."""

from __future__ import annotations

import polars as pl
import pytest

from gradcascade.scaling.claims import Side, side, sides

CASES = [
    (0.1, 0.2, Side.ABOVE),
    (-0.2, -0.1, Side.BELOW),
    (-0.1, 0.1, Side.OPEN),
    (0.0, 0.1, Side.OPEN),
    (0.2, 0.2, Side.OPEN),
    (None, 0.2, Side.UNKNOWN),
    (0.2, None, Side.UNKNOWN),
    (float("nan"), 0.2, Side.UNKNOWN),
]


@pytest.mark.parametrize(("low", "high", "expected"), CASES)
def test_an_interval_claims_a_side_only_if_it_has_a_width_and_excludes_zero(
    low: float | None, high: float | None, expected: Side
) -> None:
    assert side(low, high) is expected
    assert expected.clear == (expected in ("above", "below"))


def test_columns_are_judged_by_the_same_rule() -> None:
    table = pl.DataFrame([case[:2] for case in CASES], schema={"low": pl.Float64, "high": pl.Float64}, orient="row")
    assert table.select(claim=sides())["claim"].to_list() == [case[2].value for case in CASES]
    empty = pl.DataFrame({"low": [None], "high": [None]})
    assert empty.select(claim=sides())["claim"].to_list() == ["unknown"]
