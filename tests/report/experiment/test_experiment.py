"""The report of matched runs: it says what the tables say, whatever that is, and everything is in files."""

import html
import json
import re
import shutil

import polars as pl
import pytest
from matched_runs import PLAN, RUNGS, level, matched

from gradcascade.csvfile import as_csv
from gradcascade.errors import InputError
from gradcascade.report.experiment import write_experiment
from gradcascade.report.experiment.data import Experiment, conditions
from gradcascade.report.experiment.figures import ContrastsFigure, DurationsFigure, LadderFigure
from gradcascade.report.experiment.words import headline
from gradcascade.report.grids import together
from gradcascade.study.table_cascades import merge_tables

ADAM, SGD = "adamw-constant", "sgd-momentum-constant"
RECORD = {
    "left_out": {SGD: ["direction"]},
    "runs": [
        {"family": name, "optimizer": name[:-9], "schedule": "constant", "scale": scale, "width": width}
        | {"run": str(seed), "rate": 0.01, "loss": loss + seed, "diverged_at": None}
        for name, loss in ((SGD, 3.0), (ADAM, 2.0))
        for scale, width in (("d96", 96), ("d16", 16))
        for seed in (0, 1)
    ],
}
TUNING = {
    "rule": "the lowest loss",
    "families": {ADAM: {"tried": [{"rate": 0.01, "loss": 2.0}, {"rate": 0.1, "loss": 2.5}], "chosen": 0.01}},
}


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    return Experiment.of(matched(), PLAN | {"measured": [100, 200, 300, 400]}, tuning=TUNING, record=RECORD)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The folder of an experiment with profiles, as the command leaves it."""
    folder = tmp_path_factory.mktemp("out")
    matched(activity=True, steps=2, rungs=[RUNGS[0], RUNGS[3], RUNGS[4]]).write_parquet(folder / "table.parquet")
    merge_tables([folder / "table.parquet"], folder / "study")
    (folder / "plan.toml").write_text(
        'optimizers = ["adamw", "sgd-momentum"]\nschedules = ["constant"]\nmeasured = [200]\n'
    )
    (folder / "tuning.json").write_text(json.dumps(TUNING))
    (folder / "experiment.json").write_text(json.dumps(RECORD))
    return folder


@pytest.fixture(scope="module")
def written(out):
    return write_experiment(out), out / "report"


def test_the_conditions_of_the_primary_questions_come_first():
    plan = {"optimizers": ["lion", "sgd-momentum", "adamw"], "schedules": ["constant", "cosine"]}
    assert conditions(plan)[:3] == [ADAM, SGD, "lion-constant"] and len(conditions(plan)) == 6
    assert conditions({}) == []


def test_the_headline_says_what_was_planted(experiment):
    ends, optimizers, adam, sgd, kind, span, further = headline(experiment)
    assert re.search(r"gradients less updates over 10 steps, adamw: the difference is shown: \+0\.1\d\d \(95 %", ends)
    assert "gradients, adamw less sgd-momentum: no difference is shown" in optimizers
    assert re.search(r"four of five experiments is 0\.\d+ by the scatter stated before and 0\.\d+ by its own", ends)
    assert adam.startswith("Under adamw z changes from directions to updates over 1 step by ")
    assert sgd.startswith(
        "Where along the ladder z changes under sgd-momentum, if it does, cannot be told: no stretch of its "
    )
    assert kind.startswith("The kind of field does not act alike") and "is not shown to act otherwise" in span
    assert re.search(r"each asked at 5 %, \d+ of \d+ on z and \d+ of \d+ on δ and R² of durations hold", further)


def test_a_null_result_is_said():
    nothing = Experiment.of(matched(seed=3, z=level, steps=2, variants=("real",), scale_sd=0.01), PLAN)
    lines = headline(nothing)
    assert sum("no difference is shown, which is no proof that there is none" in line for line in lines) == 2
    assert not any("the difference is shown" in line for line in lines) and "0 of 18 on z and 0 of" in lines[-1]


def test_what_is_missing_is_said():
    table = matched(steps=2, variants=("real",))
    holes = table.filter(~((pl.col("run") == "1") & (pl.col("scale") == "d96") & (pl.col("family") == ADAM)))
    short = Experiment.of(holes, PLAN | {"optimizers": ["adamw", "lion", "sgd-momentum"]})
    assert short.gaps.height == 5 and short.gaps["measured"].unique().to_list() == [0]
    lines = headline(short)
    assert any(line.startswith("10 measurements of 1 run are missing") for line in lines)
    assert lines[-1] == "Nothing was measured yet of lion-constant."


def test_rates_that_change_otherwise_with_size_are_said(experiment):
    assert not any("Learning rates change" in line for line in headline(experiment))
    runs = [
        run | {"rate": 1.0 / run["width"]} if run["family"] == ADAM else run  # type: ignore[operator]
        for run in RECORD["runs"]
    ]
    scaled = Experiment.of(matched(steps=1, variants=("real",)), PLAN, record={"runs": runs})
    (line,) = (line for line in headline(scaled) if "Learning rates change" in line)
    assert "adamw 0.0625 at the smallest and 0.0104 at the largest, sgd-momentum 0.01 at the" in line


def test_losses_and_rates_are_those_of_the_record(experiment):
    first = experiment.losses.row(0, named=True)
    assert (first["condition"], first["scale"], first["loss"], first["runs"], first["diverged"]) == (
        ADAM,
        "d16",
        2.5,
        2,
        0,
    )
    assert experiment.losses["condition"].unique(maintain_order=True).to_list() == [ADAM, SGD]
    assert experiment.rates["chosen"].to_list() == [True, False]


def test_every_table_is_in_files_and_in_the_result(written):
    report, folder = written
    content = json.loads((folder / "results.json").read_text())
    assert content["headline"] == list(report.headline) and content["window"] == [200, 200]
    for name, table in report.tables.items():
        assert len(content[name]) == table.height
        if name not in ("rates", "missing"):
            assert table.height
    assert report.to_dict()["report"] == str(folder / "index.html")
    stored = pl.read_csv(folder / "tables" / "questions.csv", infer_schema=False)
    assert stored["question"].to_list() == as_csv(report.tables["questions"])["question"].to_list()


def test_the_page_shows_the_findings_the_figures_and_what_was_left_out(written):
    text = html.unescape((written[1] / "index.html").read_text())
    for words in (*written[0].headline, "the lowest loss", f"{SGD}: direction.", "measured = [200]"):
        assert together(words) in text
    assert written[0].headline[0].startswith("Primary question, z of gradients less updates over 10 steps, adamw:")
    assert text.count("<svg") >= 3


def test_figures_draw_the_numbers_of_the_tables(experiment):
    ladder = LadderFigure(experiment).frame()
    assert ladder["quantity"].unique(maintain_order=True).to_list() == ["D - 1", "z", "delta", "R2", "v_rel"]
    z = ladder.filter(quantity="z", variant="real")["value"].to_list()
    known = experiment.exponents.filter(exponent="z", variant="real", duration="n_steps")["value"].to_list()
    assert z == known
    asked = ContrastsFigure(experiment).frame()
    assert asked.height == experiment.answers.filter(duration="n_steps")["value"].is_not_null().sum()
    assert DurationsFigure(experiment).frame().height == 2 * 5 * 4 * 4


def test_primary_questions_have_a_mark_of_their_own_and_the_legend_says_what_is_hollow(experiment):
    figure = ContrastsFigure(experiment).plot()
    marks = [line.get_marker() for line in figure.axes[0].lines if line.get_marker() != "None"]
    asked = ContrastsFigure(experiment).frame().filter(exponent="z")
    assert marks == ["D" if name == "primary" else "o" for name in asked["list"]]
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert said[:3] == ["primary, 95 % interval", "further, 95 % interval", "hollow: no difference is claimed"]


def test_in_one_column_too(experiment):
    drawn = [kind(experiment).plot("one") for kind in (LadderFigure, ContrastsFigure, DurationsFigure)]
    assert all(figure.get_size_inches()[0] == pytest.approx(85 / 25.4) for figure in drawn)


def test_two_scales_have_no_exponents_and_that_is_said():
    few = Experiment.of(matched(steps=2, variants=("real",)).filter(pl.col("scale").is_in(["d16", "d24"])), PLAN)
    lines = headline(few)
    assert len(lines) == 2 and all("no answer, since only 2 scales" in line for line in lines)
    assert "No exponent could be fitted" in str(LadderFigure(few).missing())
    assert "No difference has an interval" in str(ContrastsFigure(few).missing())


def test_profiles_add_the_quality_of_their_collapse(written):
    assert set(written[0].tables["collapse"]["variant"]) == {"real", "N0"}
    assert written[0].tables["collapse"]["quality"].is_not_null().all()
    assert {"n_steps", "continuous"} == set(written[0].tables["ladder"]["duration"])


def test_a_folder_that_is_no_experiment_is_refused(out, tmp_path):
    shutil.copytree(out / "study", tmp_path / "study")
    (tmp_path / "tuning.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        write_experiment(tmp_path)
    with pytest.raises(InputError, match="is not a study"):
        write_experiment(tmp_path / "nothing")
