from __future__ import annotations

import polars as pl

from gradcascade.report.data import ReportData
from gradcascade.report.figures.exponents_over_steps import ExponentsOverSteps
from gradcascade.report.figures.transport_over_steps import TransportOverSteps
from gradcascade.report.step_by_step import step_by_step
from gradcascade.report.tokens import amount, common_tokens, step_label, with_tokens, words_between

from .cascades import study_cascades

COLUMNS = ["family", "scale", "step", "tokens"]


def table(*rows: tuple[str, str, int, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def test_tokens_are_common_only_where_all_scales_that_are_known_agree() -> None:
    known = table(("f", "a", 0, 0), ("f", "b", 0, 0), ("f", "a", 5, 10), ("f", "b", 5, 15), ("g", "a", 5, 20))
    assert sorted(common_tokens(known).rows()) == [("f", 0, 0), ("g", 5, 20)]
    beside = with_tokens(table(("f", "b", 5, 0)).select("family", "step", "scale", x="tokens"), known)
    assert beside.columns == ["family", "step", "tokens", "scale", "x"] and beside["tokens"].to_list() == [15]
    without = with_tokens(pl.DataFrame({"step": [5, 0], "family": ["f", "f"]}), known)
    assert without["tokens"].to_list() == [None, 0]


def test_words_and_labels() -> None:
    assert [amount(count) for count in (999, 2_097_152, 8_390_000_000, 4_001 * 10**9)] == [
        "999", "2.1 million", "8.39 billion", "4 trillion",
    ]  # fmt: skip
    known = table(*(("f", scale, step, step * 2_097_152) for scale in "ab" for step in (0, 1, 4000, 73_000)))
    assert words_between(known, "f", 4000, 73_000) == "8.39 to 153 billion tokens"
    assert words_between(known, "f", 0, 1) == "0 to 2.1 million tokens" and words_between(known, "g", 0, 9) == ""
    assert step_label(known, ["f"]) == "training step (of 2.1 million tokens)"
    assert step_label(known, ["f", "g"]) == step_label(table(), []) == "training step"
    assert step_label(pl.concat([known, table(("f", "c", 1, 7))]), ["f"]) == "training step"


def test_figures_and_words_have_them_where_they_are_known() -> None:
    cascades = study_cascades(steps=(1, 2, 3), variants=("real",))
    tokens = cascades.select("family", "scale", "step", tokens=pl.col("step") * 4_000_000).unique()
    data = ReportData.from_tables(cascades, window=(1, 3), tokens=tokens)
    drawn = TransportOverSteps(data)
    assert drawn.frame().select(pl.col("tokens") / pl.col("step")).to_series().unique().to_list() == [4e6]
    assert drawn.plot().axes[0].get_xlabel() == "training step (of 4 million tokens)"
    assert ExponentsOverSteps(data).frame()["tokens"].null_count() == 0
    assert "steps 1 to 3 (4 to 12 million tokens)" in step_by_step(data).details[0][1]
    assert "tokens" not in TransportOverSteps(ReportData.from_tables(cascades, window=(1, 3))).frame().columns
