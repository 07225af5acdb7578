from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from harness_results import harness_results, renamed, write, written_today

from gradcascade import families
from gradcascade.errors import InputError
from gradcascade.evaluations import EvaluationWarning
from gradcascade.families import family
from gradcascade.performance.harness import read_lm_eval, tasks_of
from gradcascade.performance.metrics import METRIC_SCHEMA, metric_exponent
from gradcascade.performance.readers import read_metrics

EVALS = Path(__file__).parents[3] / "shared" / "data" / "pythia-evals"


@pytest.mark.skipif(not EVALS.is_dir(), reason="the Pythia evaluation files lie beside a checkout, not inside it")
def test_published_evaluations() -> None:
    metrics = read_lm_eval(EVALS, "pythia")
    assert metrics.schema == METRIC_SCHEMA and metrics.height == 3 * 27
    assert metrics["scale"].unique().sort().to_list() == ["160m", "410m", "70m"]
    fits = metric_exponent(metrics, family("pythia").entries)
    value = dict(fits.select("step", "value").iter_rows())
    assert value[143_000] == pytest.approx(0.04129, abs=5e-6)
    assert value[3_000] == pytest.approx(0.03046, abs=5e-6)
    assert value[0] == pytest.approx(-0.00880, abs=5e-6)
    assert dict(fits.select("step", "r2").iter_rows())[63_000] == pytest.approx(0.55, abs=5e-3)
    late = fits.filter(pl.col("step") >= 3_000)
    assert late.height == 15 and (late["value"] > 0).all()
    assert late.sort("r2")["step"][0] == 63_000
    assert fits["n_scales"].unique().to_list() == [3] and fits["reason"].null_count() == 27


def test_mean_accuracy_over_the_65_tasks(tmp_path: Path) -> None:
    write(tmp_path / "pythia-70m" / "zero-shot" / "70m_step512.json", {"results": harness_results(), "config": {}})
    write(tmp_path / "notes_step1.txt", "not an evaluation")
    found = read_lm_eval(tmp_path, "pythia")
    assert found.select("family", "scale", "step", "metric").row(0) == ("pythia", "70m", 512, "accuracy")
    assert found["value"].item() == pytest.approx((57 * 0.3 + 8 * 0.5) / 65)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is not readable JSON"),
        ([1], "holds no JSON object"),
        ({"versions": {}}, "has no object called results"),
        ({"results": {k: v for k, v in harness_results().items() if k != "piqa"}}, "57 of 57 hendrycksTest-* tasks"),
        ({"results": {"piqa": {"acc": 1}}}, "0 of 57 hendrycksTest-* tasks, and lacks arc_challenge, arc_easy"),
        ({"results": harness_results() | {"wsc": {"f1": 0.5}}}, "gives no accuracy for the task wsc"),
    ],
    ids=["json", "list", "no results", "one missing", "most missing", "no accuracy"],
)
def test_broken_evaluations_are_refused(tmp_path: Path, content: Any, words: str) -> None:
    path = write(tmp_path / "70m_step1.json", content)
    with pytest.raises(InputError) as caught:
        read_lm_eval(tmp_path, "pythia")
    assert words in str(caught.value) and str(path) in str(caught.value)


def test_one_scale_and_step_in_two_files(tmp_path: Path) -> None:
    for folder in ("zero-shot", "five-shot"):
        write(tmp_path / folder / "70m_step1.json", {"results": harness_results()})
    with pytest.raises(InputError, match="keep one evaluation of each scale and step"):
        read_lm_eval(tmp_path, "pythia")


def test_the_tasks_of_the_mean_are_those_of_the_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tasks_of("anything") == tasks_of("pythia") and sum(tasks_of("pythia").groups.values()) == 57
    toy = family("pythia").model_dump() | {
        "name": "toy",
        "run_preset": "",
        "metric": {"name": "accuracy", "reader": "lm-eval", "slope": "a", "tasks": ["piqa"]},
    }
    known = {**families.families(), "toy": families.Family.model_validate(toy)}
    monkeypatch.setattr("gradcascade.families.families", lambda: known)
    write(tmp_path / "s_step1.json", {"results": {"piqa": {"acc": 0.25}, "wsc": {"acc": 0.75}}})
    assert read_lm_eval(tmp_path, "toy")["value"].item() == 0.25


@pytest.mark.skipif(not EVALS.is_dir(), reason="the Pythia evaluation files lie beside a checkout, not inside it")
def test_real_files_give_the_same_mean_under_the_names_of_today(tmp_path: Path) -> None:
    one = EVALS / "pythia-70m" / "70m_step143000.json"
    content = json.loads(one.read_text())
    assert content["config"]["model_args"] == "pretrained=EleutherAI/pythia-v1.1-70m,revision=step143000"
    model = tmp_path / "EleutherAI__pythia-70m"
    arguments = "pretrained=EleutherAI/pythia-70m,revision=step143000"
    written_today(model, renamed(content["results"]), "2024-05-01T12-00-00.123456", model_args=arguments)
    found = read_lm_eval(tmp_path, "pythia")
    assert found.select("scale", "step").rows() == [("EleutherAI/pythia-70m", 143_000)]
    assert found["value"].item() == read_lm_eval(one, "pythia")["value"].item()


@pytest.mark.parametrize(
    "others", [{}, {"mmlu_pro_law": {"acc,none": 1.0}, "mmlu_continuation_law": {"acc,none": 1}}]
)
def test_entries_of_groups_are_no_tasks(tmp_path: Path, others: dict[str, Any]) -> None:
    results = renamed(harness_results()) | {"mmlu_own_group": {"acc,none": 1.0}} | others
    content = {"results": results, "group_subtasks": {"mmlu_own_group": ["mmlu_0"], "mmlu_0": []}}
    write(tmp_path / "d24_step5.json", content)
    assert read_lm_eval(tmp_path, "own")["value"].item() == pytest.approx((57 * 0.3 + 8 * 0.5) / 65)


@pytest.mark.parametrize(
    ("folder", "config", "expected"),
    [
        ("a__b", {"model_args": "pretrained=a/b,revision=step1000,dtype=float"}, ("a/b", 1000)),
        ("a__b", {"model_args": {"pretrained": "a/b", "revision": "step1000"}}, ("a/b", 1000)),
        ("a__b", {"model_args": "pretrained=a/b", "model_revision": "step1000-tokens4B"}, ("a/b", 1000)),
        ("x", {"model_args": "pretrained=/data/runs/nano-d24/checkpoints/step_20"}, ("nano-d24", 20)),
        ("x", {"model_args": "pretrained=out/d24/checkpoint-20"}, ("out/d24", 20)),
        ("step20/a__b", {"model_args": "pretrained=a/b"}, ("a/b", 20)),
        ("a__b__step20", {}, ("a/b", 20)),
        ("__data__runs__nano-d24__step_20", {}, ("nano-d24", 20)),
        ("nano-d24-step20", {}, ("nano-d24", 20)),
    ],
)
def test_model_and_step_are_those_of_the_arguments_or_the_name(
    tmp_path: Path, folder: str, config: dict[str, Any], expected: tuple[str, int]
) -> None:
    written_today(tmp_path / folder, renamed(harness_results()), "2024-05-01T12-00-00.1", **config)
    assert read_lm_eval(tmp_path, "own").select("scale", "step").rows() == [expected]


def test_results_without_a_step_or_of_two_are_refused(tmp_path: Path) -> None:
    results = renamed(harness_results())
    final = written_today(tmp_path / "a" / "EleutherAI__pythia-70m-deduped", results, "2024-05-01T12-00-00.123456")
    with pytest.raises(InputError, match=r"names no training step, .* such as model/step1000") as caught:
        read_lm_eval(tmp_path / "a", "own")
    assert str(final) in str(caught.value)
    arguments = {"model_args": "pretrained=a/b,revision=step10"}
    write(tmp_path / "b" / "70m_step20.json", {"results": harness_results(), "config": arguments})
    with pytest.raises(InputError, match=r"more than one training step \(20 in its name, 10 in revision\)"):
        read_lm_eval(tmp_path / "b", "own")


def test_the_step_of_results_that_name_none_can_be_given(tmp_path: Path) -> None:
    results = renamed(harness_results())
    first = written_today(tmp_path / "pythia-70m", results, "2024-05-01T12-00-00.1")
    assert read_lm_eval(first, "own", step=512).select("scale", "step").rows() == [("pythia-70m", 512)]
    parts = tmp_path / "parts" / "pythia-70m"
    exams = {name: values for name, values in results.items() if name.startswith("mmlu")}
    written_today(parts, exams, "2024-05-01T12-00-00.1")
    written_today(parts, {name: results[name] for name in results if name not in exams}, "2024-05-01T13-00-00.1")
    with pytest.warns(EvaluationWarning, match="several files of results of one model and step"):
        assert read_lm_eval(parts, "own", step=512)["step"].to_list() == [512]
    written_today(tmp_path / "pythia-70m", results, "2024-05-02T12-00-00.1")
    with pytest.raises(InputError, match=r"both evaluate .* name no step, so --step 512 can be that of one alone"):
        read_lm_eval(tmp_path / "pythia-70m", "own", step=512)
    write(tmp_path / "b" / "70m_step20.json", {"results": harness_results()})
    with pytest.raises(InputError, match=r"is of step 20, and --step says 512; leave --step out"):
        read_lm_eval(tmp_path / "b", "own", step=512)
    (tmp_path / "m.csv").write_text("scale,step,ppl\n70m,1,2.5\n")
    with pytest.raises(InputError, match=r"--step is for results of the evaluation harness"):
        read_metrics(tmp_path / "m.csv", "own", step=512)


def test_the_newest_value_of_each_task_counts_and_that_is_said(tmp_path: Path) -> None:
    arguments = {"model_args": "pretrained=a/b,revision=step10"}
    results = renamed(harness_results())
    early = {name: values for name, values in results.items() if name != "piqa"}
    written_today(tmp_path / "a__b", early, "2024-05-01T12-00-00.1", **arguments)
    late = {"piqa": {"acc,none": 0.25}, "wsc": {"acc,none": 0.75}}
    written_today(tmp_path / "a__b", late, "2024-06-01T12-00-00.1", **arguments)
    with pytest.warns(EvaluationWarning, match=r"a/b, step 10 \(2 files, the newest results_2024-06-01T12-00-00\.1"):
        found = read_lm_eval(tmp_path, "own")
    assert found["value"].item() == pytest.approx((57 * 0.3 + 6 * 0.5 + 0.25 + 0.75) / 65)


def test_versions_side_by_side_are_said(tmp_path: Path) -> None:
    write(tmp_path / "d24_step5.json", {"results": harness_results()})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_lm_eval(tmp_path, "own").height == 1
    write(tmp_path / "d24_step6.json", {"results": renamed(harness_results())})
    with pytest.warns(EvaluationWarning, match="before and since version 0.4"):
        assert read_lm_eval(tmp_path, "own").height == 2


def test_missing_tasks_of_today_are_named(tmp_path: Path) -> None:
    results = {name: values for name, values in renamed(harness_results()).items() if name not in ("mmlu_3", "sciq")}
    write(tmp_path / "d24_step5.json", {"results": results})
    with pytest.raises(InputError, match=r"56 of 57 mmlu_\* tasks, and lacks sciq"):
        read_lm_eval(tmp_path, "own")
