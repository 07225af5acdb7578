from __future__ import annotations

import dataclasses

import polars as pl

from gradcascade.report.data import ReportData
from gradcascade.scaling.choice_shifts import choice_shifts

from ..cascades import study_cascades
from .asked import answers, named

BARE = ["choice", "exponent", "shift", "low", "high"]


def shifts(rows: list[tuple]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=BARE, orient="row")


def test_the_choice_that_moves_an_exponent_most_is_named(data: ReportData) -> None:
    table = shifts([("alpha 0.2", "z", 0.02, -0.01, 0.05), ("ring", "z", -0.1, -0.15, -0.05), ("ring", "D", 0, 0, 0)])
    assert named(dataclasses.replace(data, robustness=table))["robustness"] == [
        "Of 2 choices, ring moves z most, by −0.100 (95 % interval −0.150 to −0.050, which excludes zero); their "
        "shifts are −0.100 to +0.020, and the interval excludes zero for 1 of them."
    ]
    assert "robustness" not in named(data)


def test_a_single_choice_is_not_compared(data: ReportData) -> None:
    one = dataclasses.replace(data, robustness=shifts([("ring", "delta", 0.02, -0.01, 0.05)]))
    assert named(one)["robustness"] == [
        "The choice ring moves δ by +0.020 (95 % interval −0.010 to +0.050, which includes zero)."
    ]
    unknown = dataclasses.replace(data, robustness=shifts([("ring", "z", 0.02, None, None)]))
    assert named(unknown)["robustness"] == ["The choice ring moves z by +0.020 (without an interval)."]


def test_nulls_are_no_choices(data: ReportData) -> None:
    real = data.cascades.filter(pl.col("variant") == "real", pl.col("field") == "gradient")
    longer = real.with_columns(duration=pl.col("duration") + 1)
    null = study_cascades(fields=("gradient",), variants=("N0",))
    rows = [(real, "plan", "as planned"), (longer, "graph", "graph ring"), (null, "control", "N0")]
    parts = [table.with_columns(kind=pl.lit(kind), choice=pl.lit(choice)) for table, kind, choice in rows]
    table = choice_shifts(pl.concat(parts))
    answer = answers(dataclasses.replace(data, robustness=table))["robustness"]
    assert [sentence[:44] for sentence in answer.sentences] == [
        "Gradients: the choice graph ring moves z by ",
        "Gradients: the choice graph ring moves δ by ",
        "Gradients: of the nulls in the place of the ",
    ]
    columns = ["family", "field", "choice", "exponent", "as planned", "shift", "95 % of the shift", "excludes zero"]
    assert answer.table.columns == [*columns, "of all looked at", "steps"]
    assert set(answer.table["choice"]) == {"graph ring", "null N0"}
    assert answer.full is table


def test_what_moves_is_judged_over_all_that_was_looked_at(data: ReportData) -> None:
    rows = [("alpha 0.2", "z", 0.02, 0.01, 0.03, 6, "within noise"), ("ring", "z", -0.1, -0.15, -0.05, 6, "moves")]
    table = pl.DataFrame(rows, schema=[*BARE, "looked_at", "verdict"], orient="row")
    sentence = named(dataclasses.replace(data, robustness=table))["robustness"][0]
    assert sentence.endswith("are −0.100 to +0.020, and judged over all 6 shifts looked at, z moves with 1 of them.")
