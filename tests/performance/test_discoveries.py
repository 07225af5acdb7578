"""Only associations with a small rate of false discoveries are called so."""

from __future__ import annotations

import polars as pl

from gradcascade.performance.discoveries import discoveries


def test_discoveries_are_those_of_small_q_strongest_first() -> None:
    rows = [(0.5, 0.04), (-0.9, 0.05), (0.95, 0.06), (None, 0.01), (0.7, None)]
    table = pl.DataFrame(rows, schema=["pearson", "q"], orient="row")
    assert discoveries(table)["pearson"].to_list() == [-0.9, 0.5]
    assert discoveries(table, 0.1)["pearson"].to_list() == [0.95, -0.9, 0.5]
