from __future__ import annotations

import dataclasses
import re

import polars as pl
import pytest

from gradcascade.report.answers import KNOWN, all_answers, lead
from gradcascade.report.answers.base import listed, typeset
from gradcascade.report.data import ReportData
from gradcascade.scaling.window_means import window_differences

from ..cascades import perplexities, study_cascades

ENTRIES = {"tiny": 589_824, "small": 9_437_184, "medium": 37_748_736, "large": 150_994_944}


def named(data: ReportData) -> dict[str, list[str]]:
    return {answer.name: list(answer.sentences) for answer in all_answers(data)}


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def test_every_table_of_infer_is_answered(data: ReportData) -> None:
    assert set(data.answers) == KNOWN
    answers = all_answers(data)
    assert len({answer.name for answer in answers}) == len(answers)
    for answer in answers:
        assert answer.sentences, answer.name
        assert answer.how, answer.name
        assert all(sentence.endswith(".") for sentence in answer.sentences)


def test_a_table_without_words_is_shown_as_it_is(data: ReportData) -> None:
    more = dataclasses.replace(data)
    table = pl.DataFrame({"graph": ["ring"], "z": [0.1]})
    more.__dict__["answers"] = data.answers | {"other_graphs": table}
    last = all_answers(more)[-1]
    assert (last.name, last.title) == ("other-graphs", "Other graphs")
    assert last.table.equals(table)


def test_shifts_by_other_choices_are_told(data: ReportData) -> None:
    rows = [("ring", "z", 0.1, 0.05, 0.15), ("alpha 0.2", "z", -0.02, -0.05, 0.01), ("ring", "D", 0.0, 0.0, 0.0)]
    table = pl.DataFrame(rows, schema=["choice", "exponent", "shift", "low", "high"], orient="row")
    assert named(dataclasses.replace(data, robustness=table))["robustness"] == [
        "z moves by −0.020 to +0.100; the 95 % interval of the shift excludes zero in 1 of 2 choices."
    ]
    assert "robustness" not in named(data)


def test_the_contrast_of_fields_is_the_difference_of_their_exponents(data: ReportData) -> None:
    (answer,) = (answer for answer in all_answers(data) if answer.name == "contrast")
    intervals = {
        (row["field"], row["exponent"]): row["scales_value"]
        for row in data.answers["intervals"].filter(variant="real").to_dicts()
    }
    table = {row["exponent"]: row for row in answer.table.to_dicts()}
    for symbol, name in (("D", "D"), ("z", "z"), ("β", "beta"), ("δ", "delta")):
        expected = intervals["gradient", name] - intervals["update", name]
        assert number(table[symbol]["gradient − update"]) == pytest.approx(expected, abs=6e-4)
    assert "a difference in z and δ is shown" in answer.sentences[0]


def test_the_contrast_is_taken_over_the_steps_that_both_windows_hold() -> None:
    cascades = study_cascades(steps=range(20))
    spans = {("nano", "gradient"): (0, 11), ("nano", "update"): (6, 19)}
    (answer,) = (a for a in all_answers(ReportData.from_tables(cascades, window=spans)) if a.name == "contrast")
    swapped = cascades.filter(pl.col("variant") == "real").with_columns(variant="field", field=pl.lit("both"))
    parts = {"contrast": ("gradient", "update")}
    expected = window_differences(swapped, (6, 11), parts=parts).filter(exponent="z").row(0, named=True)
    assert answer.table.filter(exponent="z")["steps"].item() == expected["scales_steps"] == 6
    assert number(answer.table.filter(exponent="z")["gradient − update"].item()) == pytest.approx(
        expected["scales_value"], abs=6e-4
    )


def test_fields_without_common_steps_are_not_contrasted() -> None:
    cascades = study_cascades(steps=range(20))
    spans = {("nano", "gradient"): (0, 5), ("nano", "update"): (6, 19)}
    assert "contrast" not in named(ReportData.from_tables(cascades, window=spans))


def test_published_values_are_set_beside_in_standard_errors() -> None:
    cascades = study_cascades("pico-lm", entries=ENTRIES, steps=range(5000, 25_000, 1000), fields=("gradient",))
    data = ReportData.from_tables(cascades)
    (answer,) = (answer for answer in all_answers(data) if answer.name == "published")
    rows = {row["quantity"]: row for row in answer.table.to_dicts()}
    assert set(rows) == {"D", "z", "β", "δ", "z of N0", "z of real − N0"}
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


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "Gradients: cascades last longer in larger models, by more than noise explains"),
        ({"variants": ("real",)}, "the scales leave open whether"),
        ({"entries": {"only": 1000}}, "cannot be said"),
    ],
)
def test_the_first_paragraph_follows_the_verdicts(change: dict, words: str) -> None:
    text = lead(ReportData.from_tables(study_cascades(**change)))
    assert words in text
    assert not re.search(r"None|nan|null\b", text)


def test_bends_and_laws_are_named_where_they_are_shown() -> None:
    bent = study_cascades(steps=range(30), noise=0.0)
    factor = (pl.col("n").log() - 13) ** 2 * 0.05
    bent = bent.with_columns(duration=(pl.col("duration") * factor.exp()).round().cast(pl.Int64))
    wobble = (pl.col("step") % 3).cast(pl.Int64)
    said = named(ReportData.from_tables(bent.with_columns(duration=pl.col("duration") + wobble)))
    assert "the power law bends in" in said["curvature"][0]


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


def test_words() -> None:
    assert typeset("z is -0.036, delta +0.03, beta x-1") == "z is −0.036, δ +0.03, β x-1"
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed("abc") == "a, b and c"
    assert listed("abcdefgh") == "a, b, c, d, e, f and 2 more"
