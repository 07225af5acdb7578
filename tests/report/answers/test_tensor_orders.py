from __future__ import annotations

import dataclasses

import polars as pl

from gradcascade.report.data import ReportData
from gradcascade.scaling.order_sensitivity import VALUE_SCHEMA

from .asked import answers, named


def orders(rows: list[tuple]) -> pl.DataFrame:
    full = [("nano", "update", *row, 8, None, None) for row in rows]
    return pl.DataFrame(full, schema=VALUE_SCHEMA, orient="row")


def test_the_spread_over_orders_and_the_order_free_value_are_one_sentence(data: ReportData) -> None:
    table = orders(
        [
            ("z", "as planned", 0.1, None, None),
            ("z", "file", 0.2, None, None),
            ("z", "random 1", 0.3, None, None),
            ("z", "N2", 0.15, 0.1, 0.2),
        ]
    )
    found = dataclasses.replace(data, orders=table)
    assert named(found)["orders"] == [
        "Updates: over 3 orders of the tensors z is +0.100 to +0.300 (SD 0.100, 95 % 0.052 to 0.628), and of no "
        "order (N2, 95 % +0.100 to +0.200) +0.150."
    ]
    answer = answers(found)["orders"]
    assert answer.table.height == 1 and answer.full is table
    assert answer.table["SD over orders"].item() == "0.100"
    assert "orders" not in named(data)


def test_a_single_order_has_no_spread(data: ReportData) -> None:
    table = orders([("z", "as planned", 0.1, None, None), ("z", "file", 0.1, None, None)])
    assert named(dataclasses.replace(data, orders=table))["orders"] == [
        "The exponents could not be fitted in two orders that differ."
    ]
