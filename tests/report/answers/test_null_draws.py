from __future__ import annotations

import polars as pl
import pytest

from gradcascade.report.answers.base import interval
from gradcascade.report.data import ReportData

from ..cascades import study_cascades
from .asked import answers


@pytest.fixture(scope="module")
def drawn() -> ReportData:
    """Three replicates of two nulls."""
    nulls = [
        study_cascades(variants=("N0", "N2"), noise=0.05, seed=seed).with_columns(
            replicate=pl.lit(seed, dtype=pl.Int64)
        )
        for seed in range(3)
    ]
    return ReportData.from_tables(pl.concat([study_cascades(variants=("real",)), *nulls]))


def test_every_field_has_one_sentence_with_the_intervals_of_the_draws(drawn: ReportData) -> None:
    answer = answers(drawn)["null-draws"]
    assert [sentence.split(":")[0] for sentence in answer.sentences] == ["Gradients", "Updates"]
    errors = drawn.answers["null_errors"].filter(exponent="z", field="gradient")
    assert errors.height == 3
    for row in errors.to_dicts():
        assert f" {interval(row['replicates_low'], row['replicates_high'])} for " in answer.sentences[0]
    assert "missing" not in answer.table.columns


def test_the_table_is_that_of_the_window_and_the_file_that_of_the_steps(drawn: ReportData) -> None:
    answer = answers(drawn)["null-draws"]
    assert answer.table.height == drawn.answers["null_errors"].height == 2 * 3 * 4
    assert answer.full is drawn.answers["null_differences"]
    row = answer.table.filter(field="update", difference="real − N0", exponent="δ").row(0, named=True)
    across = drawn.answers["differences"].filter(field="update", difference="total", exponent="delta")
    assert row["SE across scales"] == across["scales_se"].item()


def test_nulls_drawn_once_give_no_interval(data: ReportData) -> None:
    answer = answers(data)["null-draws"]
    assert all("there is no interval from the draws of the nulls" in sentence for sentence in answer.sentences)
    assert "measured once at every step" in answer.sentences[0]
    assert "missing" in answer.table.columns


def test_without_nulls_there_is_nothing_drawn() -> None:
    answer = answers(ReportData.from_tables(study_cascades(variants=("real",), fields=("gradient",))))["null-draws"]
    assert answer.table.is_empty()
    assert answer.sentences == (
        "Gradients: there is no interval from the draws of the nulls: no drawn null was measured beside another "
        "variant.",
    )


def test_clipped_fields_are_not_drawn(data: ReportData) -> None:
    clipped = data.cascades.with_columns(pl.col("variant").replace("N0", "clipped"))
    answer = answers(ReportData.from_tables(clipped))["null-draws"]
    assert not answer.table["difference"].str.contains("clipped").any()
