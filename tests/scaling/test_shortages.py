from __future__ import annotations

import polars as pl

from gradcascade.scaling.shortages import shortages


def rows(*cells: tuple[str, int, str, str | None]) -> pl.DataFrame:
    table = pl.DataFrame(cells, schema=["family", "step", "scale", "reason"], orient="row")
    return table.with_columns(pl.col("reason").cast(pl.String)).with_columns(included=pl.col("reason").is_null())


def found(table: pl.DataFrame) -> dict[tuple[str, int], str]:
    return {(f, s): words for f, s, words in shortages(table, ["family", "step"], ["family"]).iter_rows()}


def test_only_short_fits_are_listed() -> None:
    full = [("f", 0, scale, None) for scale in "abc"]
    short = [("f", 1, "c", None), ("f", 1, "a", "is broken")]
    assert found(rows(*full, *short)) == {("f", 1): "1 of 3 scales left: a is broken, b was not measured"}
    assert found(rows(*full)) == {}


def test_families_have_their_own_scales() -> None:
    table = rows(("f", 0, "a", None), ("g", 0, "b", None), ("g", 0, "c", None))
    assert found(table) == {
        ("f", 0): "only 1 scale in all, a fit needs 3",
        ("g", 0): "only 2 scales in all, a fit needs 3",
    }


def test_one_good_replicate_keeps_a_scale_in_either_order() -> None:
    for order in ([None, "is broken"], ["is broken", None]):
        table = rows(*(("f", 0, "a", reason) for reason in order), ("f", 0, "b", "is empty"))
        assert found(table) == {("f", 0): "1 of 2 scales left: b is empty"}


def test_no_rows() -> None:
    assert shortages(rows(("f", 0, "a", None))[:0], ["family", "step"], ["family"]).height == 0
