from __future__ import annotations

import polars as pl
import pytest

from gradcascade.report.answers import all_answers
from gradcascade.report.data import ReportData

from ..cascades import perplexities, study_cascades
from .asked import named

ENTRIES = {"tiny": 589_824, "small": 9_437_184, "medium": 37_748_736, "large": 150_994_944}


def test_published_values_are_set_beside_in_standard_errors() -> None:
    cascades = study_cascades("pico-lm", entries=ENTRIES, steps=range(5000, 25_000, 1000), fields=("gradient",))
    data = ReportData.from_tables(cascades)
    (answer,) = (answer for answer in all_answers(data) if answer.name == "published")
    rows = {row["quantity"]: row for row in answer.table.to_dicts()}
    summaries = {"mean R² of D", "mean R² of z", "mean R² of δ", "variation of v_rel over scales"}
    assert set(rows) == {"D", "z", "β", "δ", "z of N0", "z of real − N0"} | summaries
    assert rows["mean R² of z"]["published"] == "+0.975" and rows["mean R² of z"]["ours less published"] is not None
    wide = ReportData.from_tables(cascades, window=(5000, 60_000)).answers["intervals"]
    ours = wide.filter(exponent="z", variant="real").row(0, named=True)
    assert rows["z"]["SE apart"] == pytest.approx((ours["scales_value"] - 0.223) / ours["scales_se"])
    inside = ours["scales_low"] <= 0.223 <= ours["scales_high"]
    assert rows["z"]["inside"] == ("yes" if inside else "no")
    assert "the published window" in answer.sentences[0]


def test_steps_outside_the_published_window_are_compared_over_the_window_used() -> None:
    cascades = study_cascades("pythia", entries=ENTRIES, steps=range(1, 13), fields=("update",))
    (sentence,) = named(ReportData.from_tables(cascades))["published"]
    assert "(steps 5 to 12)" in sentence
    assert "published" not in named(ReportData.from_tables(study_cascades("own", steps=(1, 2))))


def test_metrics_that_follow_a_channel_are_found() -> None:
    cascades = study_cascades(steps=range(40), noise=0.05)
    follows = cascades.filter(pl.col("variant") == "real", pl.col("field") == "gradient").select(
        "family", "scale", "step", metric=pl.lit("loss"), value=pl.col("duration").cast(pl.Float64)
    )
    (first, *pairs) = named(ReportData.from_tables(cascades, follows))["associations"]
    assert not first.startswith("0 of")
    assert any("n_steps/N with log loss" in pair for pair in pairs)
    few = named(ReportData.from_tables(study_cascades(), perplexities(study_cascades(steps=(20, 40)))))
    assert "No channel can be tested" in few["associations"][0]


def test_slopes_of_metrics_and_published_associations_stand_beside() -> None:
    cascades = study_cascades("pythia", entries=ENTRIES, steps=range(1, 31), fields=("update",))
    data = ReportData.from_tables(cascades, perplexities(cascades, "accuracy"))
    answers = {answer.name: answer for answer in all_answers(data)}
    slopes = answers["metric-exponents"]
    assert slopes.table["slope"].to_list() == pytest.approx(data.answers["metric_exponents"]["value"].to_list())
    assert "accuracy: at the last step with at least three scales, 30, " in slopes.sentences[0]
    rows = answers["associations"].table.filter(scale="all").to_dicts()
    published = {row["channel"]: row["published r"] for row in rows if row["metric"] == "slope of accuracy"}
    assert (published["v_rel"], published["n_steps/N"], published["D"]) == (-0.62, 0.67, -0.11)
    assert published["z"] is None
    two = ReportData.from_tables(cascades.filter(pl.col("scale") != "tiny", pl.col("scale") != "small"), data.metrics)
    assert "No slope of a metric" in named(two)["metric-exponents"][0]
