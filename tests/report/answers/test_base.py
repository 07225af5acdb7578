from __future__ import annotations

import polars as pl

from gradcascade.report.answers.base import arranged, commonest, listed, typeset, why_not, without_empty_missing


def test_words() -> None:
    assert typeset("z is -0.036, delta +0.03, beta x-1") == "z is −0.036, δ +0.03, β x-1"
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed("abc") == "a, b and c"
    assert listed("abcdefgh") == "a, b, c, d, e, f and 2 more"


def test_the_most_frequent_reason_is_given() -> None:
    table = pl.DataFrame({"reason": ["few scales", None, "ceiling", "ceiling"]})
    assert commonest(table["reason"]) == "ceiling"
    assert why_not(table, "No fit") == "No fit: ceiling."
    assert why_not(table.clear(), "No fit") == "No fit: there is no exponent in the window."
    assert commonest(pl.Series([None], dtype=pl.String)) is None


def test_reasons_are_shown_only_where_something_is_missing() -> None:
    table = pl.DataFrame({"z": [1.0, None], "missing": [None, "ceiling"]})
    assert without_empty_missing(table).columns == ["z", "missing"]
    assert without_empty_missing(table.head(1)).columns == ["z"]


def test_columns_are_written_as_the_file_of_words_says() -> None:
    rows = pl.DataFrame(
        {"a": [0.5, None], "b": [1.0, 2.0], "yes": [True, None], "why": [None, "none"], "other": ["x", "y"]}
    )
    columns = {
        "A": "+a",
        "bare": "~b",
        "within": "a..b",
        "spread": "b±a",
        "yes": "yes?",
        "first": "why|other",
        "c": "",
    }
    assert arranged(rows, columns).rows() == [
        ("+0.500", "1.000", "+0.500 to +1.000", "+1.000 ± 0.500", "yes", "x"),
        ("–", "2.000", "–", "+2.000", None, "none"),
    ]
