import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcascade.errors import InputError
from gradcascade.performance.matching import Loose, Question, Whole, match
from gradcascade.performance.metrics import METRIC_SCHEMA
from gradcascade.performance.model_names import family_names

NAMES = st.sampled_from(["70m", "70m-seed3", "pythia-70m", "own-70m", "160m", "tiny", "pico-decoder-tiny", "large"])


def table(*names, family="own"):
    rows = [(family, name, 10, "accuracy", float(place)) for place, name in enumerate(names)]
    return pl.DataFrame(rows, schema=METRIC_SCHEMA, orient="row")


def alone(family, *scales, **more):
    return [family_names(family, {scale: ["0"] for scale in scales}, **more)]


def taken(matched):
    return dict(matched.metrics.select("scale", "value").iter_rows())


def test_the_deduped_family_takes_the_numbers_of_the_deduped_models():
    metrics = table("70m", "70m-deduped", "160m", "70m-5shot", "baseline-70m", family="pythia-deduped")
    found = match(metrics, alone("pythia-deduped", "70m", "160m"))
    assert taken(found) == {"70m": 1.0}  # 160m is the other family's, as one name here has the ending
    assert found.left_over == ("160m", "70m", "70m-5shot", "baseline-70m")
    assert found.questions == (Question("160m", ("160m",)),) and not found.remarks
    by_repository = table("EleutherAI/pythia-70m", "EleutherAI/pythia-70m-deduped", family="pythia-deduped")
    assert taken(match(by_repository, alone("pythia-deduped", "70m"))) == {"70m": 1.0}


def test_names_without_the_ending_are_taken_where_none_has_it_and_that_is_said():
    found = match(table("70m", family="pythia-deduped"), alone("pythia-deduped", "70m"))
    assert taken(found) == {"70m": 0.0}
    assert found.remarks == (Loose("70m", "EleutherAI/pythia-70m-deduped"),)
    assert "named 70m are taken for those of EleutherAI/pythia-70m-deduped" in found.remarks[0].sentence
    other = match(table("EleutherAI/pythia-70m", family="pythia-deduped"), alone("pythia-deduped", "70m"))
    assert other.metrics.is_empty() and other.questions[0].candidates == ("EleutherAI/pythia-70m",)


def test_a_name_that_only_resembles_is_asked_for():
    metrics, known = (
        table("highlr-ablation-d24", "baseline-d24", "nano-d48", family="nano"),
        alone("nano", "d24", "d48"),
    )
    found = match(metrics, known)
    assert taken(found) == {"d48": 2.0}
    assert found.questions == (Question("d24", ("baseline-d24", "highlr-ablation-d24")),)
    assert found.questions[0].sentence.endswith("say which it is with --scale d24=baseline-d24")
    told = match(metrics, known, {"nano": {"d24": "baseline-d24"}})
    assert taken(told) == {"d24": 1.0, "d48": 2.0} and not told.questions
    assert told.left_over == ("highlr-ablation-d24",)


def test_what_is_given_must_be_there():
    known = alone("nano", "d24")
    with pytest.raises(InputError, match=r"no evaluations .* are named 'd25'; there are d24"):
        match(table("d24", family="nano"), known, {"nano": {"d24": "d25"}})
    with pytest.raises(InputError, match=r"'nano' has no scale 'd9'; it has d24"):
        match(table("d24", family="nano"), known, {"nano": {"d9": "d24"}})


def test_runs_take_their_own_values():
    known = [family_names("own", {"70m": ["1", "3"], "160m": ["0"]})]
    found = match(table("70m-seed3", "own-70m-seed1", "160m", "70m-seed5"), known)
    assert found.metrics.select("scale", "run", "value").rows() == [
        ("160m", "0", 2.0),
        ("70m", "1", 1.0),
        ("70m", "3", 0.0),
    ]
    assert found.left_over == ("70m-seed5",)
    whole = match(table("70m"), known)
    assert whole.metrics["run"].to_list() == ["0"] and whole.remarks == (Whole("70m", ("1", "3")),)
    columns = table("70m", "70m", "70m").with_columns(run=pl.Series(["1", "3", "5"]))
    by_column = match(columns, known)
    assert by_column.metrics.select("run", "value").rows() == [("1", 0.0), ("3", 1.0)]
    assert by_column.left_over == ("70m, run 5",)


def test_a_model_is_not_that_of_one_of_its_runs():
    found = match(table("70m"), alone("own", "70m-seed3"))
    assert found.metrics.is_empty() and found.questions == (Question("70m-seed3", ("70m",)),)


def test_two_owners_of_one_name_are_asked_for():
    found = match(table("a/d24", "b/d24"), alone("own", "d24"))
    assert found.metrics.is_empty() and found.questions[0].candidates == ("a/d24", "b/d24")
    assert taken(match(table("runs/own-d24"), alone("own", "d24"))) == {"d24": 0.0}


def test_other_families_are_left_over():
    found = match(pl.concat([table("d24"), table("d24", family="other")]), alone("own", "d24"))
    assert taken(found) == {"d24": 0.0} and found.left_over == ("other d24",)


@given(st.lists(NAMES, unique=True), st.lists(NAMES, unique=True))
def test_a_name_of_its_own_always_wins_and_nothing_is_made_up(given_names, scales):
    metrics = table(*given_names)
    found = match(metrics, alone("own", *scales))
    values = taken(found)
    assert set(values) <= set(scales)
    for scale, value in values.items():
        name = given_names[int(value)]
        assert name == scale if scale in given_names else name == f"own-{scale}"
    used = [given_names[int(value)] for value in values.values()]
    assert len(used) == len(set(used)) and set(found.left_over) | set(used) == set(given_names)
