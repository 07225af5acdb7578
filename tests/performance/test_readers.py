from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gradcascade import families
from gradcascade.errors import InputError
from gradcascade.evaluations import Problem
from gradcascade.families import family
from gradcascade.performance.metrics import METRIC_SCHEMA, metric_exponent
from gradcascade.performance.readers import read_lm_eval, read_paloma, read_table, tasks_of

EVALS = Path(__file__).parents[3] / "shared" / "data" / "pythia-evals"


def harness_results() -> dict[str, dict[str, float]]:
    exams = {f"hendrycksTest-{i}": {"acc": 0.1, "acc_stderr": 0.01, "acc_norm": 0.3} for i in range(57)}
    named = {name: {"acc": 0.5, "acc_stderr": 0.01} for name in tasks_of("pythia").named}
    return exams | named | {"crows_pairs_english": {"pct_stereotype": 0.9, "acc": 1.0}}


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


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


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no file named like"):
        read_lm_eval(tmp_path, "pythia")
    with pytest.raises(InputError, match="holds no eval_results"):
        read_paloma(tmp_path, "pico-lm")
    for reader in (read_lm_eval, read_paloma, read_table):
        with pytest.raises(InputError, match="does not exist"):
            reader(tmp_path / "absent.csv", "own")


def test_paloma_of_runs(tmp_path: Path) -> None:
    for run, step, value in [
        ("tiny", 0, 60407.0),
        ("tiny", 1000, 51.5),
        ("large", 1000, 1e23),
        ("large", 2000, 10**400),
    ]:
        write(tmp_path / "runs" / run / "eval_results" / f"step_{step}.json", {"paloma": value})
    write(tmp_path / "runs" / "tiny" / "eval_results" / "step_5000.json", '{"paloma": NaN}')
    expected = [
        ("pico-lm", "large", 1000, "paloma", 1e23),
        ("pico-lm", "large", 2000, "paloma", None),
        ("pico-lm", "tiny", 0, "paloma", 60407.0),
        ("pico-lm", "tiny", 1000, "paloma", 51.5),
        ("pico-lm", "tiny", 5000, "paloma", None),
    ]
    assert read_paloma(tmp_path, "pico-lm").rows() == read_paloma(tmp_path / "runs", "pico-lm").rows() == expected
    one_run = read_paloma(tmp_path / "runs" / "tiny", family="mine")
    assert one_run["scale"].unique().to_list() == ["tiny"] and one_run["family"].unique().to_list() == ["mine"]


def test_several_datasets(tmp_path: Path) -> None:
    write(tmp_path / "d24" / "eval_results" / "step_20.json", {"c4": 3, "books": 2.5})
    assert read_paloma(tmp_path, "pico-lm").select("metric", "value").rows() == [("books", 2.5), ("c4", 3.0)]


def test_paloma_without_numbers(tmp_path: Path) -> None:
    write(tmp_path / "eval_results" / "step_1.json", {"paloma": "51.5"})
    with pytest.raises(InputError, match=r"gives '51\.5' for paloma, not a number"):
        read_paloma(tmp_path, "pico-lm")


LONG = pl.DataFrame(
    {"family": "f", "scale": ["a", "b", "a"], "step": [0, 0, 5], "metric": "acc", "value": [0.1, 0.2, None]},
    schema_overrides={"value": pl.Float64},
)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_tables_long_and_wide(tmp_path: Path, suffix: str) -> None:
    long, wide = tmp_path / f"long.{suffix}", tmp_path / f"wide.{suffix}"
    columns = pl.DataFrame(
        {"scale": [24, 48], "step": [0, 0], "acc": [0.1, 0.2], "ppl": [9, None], "later": [None, None]}
    )
    for path, table in ((long, LONG), (wide, columns)):
        table.write_csv(path) if suffix == "csv" else table.write_parquet(path)
    found = read_table(long)
    assert found.schema == METRIC_SCHEMA
    assert found.rows() == [("f", "a", 0, "acc", 0.1), ("f", "b", 0, "acc", 0.2)]
    assert read_table(wide, family="g").rows() == [
        ("g", "24", 0, "acc", 0.1),
        ("g", "24", 0, "ppl", 9.0),
        ("g", "48", 0, "acc", 0.2),
    ]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.csv", "scale,acc\na,1\n", "lacks the column step"),
        ("m.csv", "scale,step,acc\na,1,0.5\n", "has no column family"),
        ("m.csv", "family,scale,step\nf,a,1\n", "has no column besides family, scale, step"),
        ("m.csv", "family,scale,step,acc\nf,a,1,high\n", "column acc of the file"),
        ("m.csv", "family,scale,step,value\nf,a,1,3\n", "lacks the column metric"),
        ("m.csv", "family,scale,step,acc\nf,a,1.5,3\n", "not whole numbers"),
        ("m.csv", "family,scale,step,acc\nf,a,,3\n", "no finite value for step"),
        ("m.csv", "family,scale,step,acc\nf,a,1,3\nf,a,1,4\n", "keep one evaluation"),
        ("m.csv", "", "cannot be read as csv"),
        ("m.parquet", "no parquet", "cannot be read as parquet"),
        ("m.xlsx", "x", "neither .csv nor .parquet"),
    ],
)
def test_bad_tables_are_refused(tmp_path: Path, name: str, content: str, words: str) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(InputError) as caught:
        read_table(path)
    assert words in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("cell", ["nan", "NaN", "NAN", "inf", "-inf", ""])
def test_a_cell_that_is_no_number_is_left_out_however_it_is_spelled(tmp_path, cell):
    (tmp_path / "m.csv").write_text(f"scale,step,loss\na,10,3.5\nb,10,{cell}\n")
    assert read_table(tmp_path / "m.csv", "x").rows() == [("x", "a", 10, "loss", 3.5)]


@pytest.mark.parametrize("step", ["-5", "99999999999999999999", "1e30"])
def test_a_step_that_can_be_none_is_refused(tmp_path, step):
    (tmp_path / "m.csv").write_text(f"scale,step,loss\na,{step},3.5\n")
    with pytest.raises(InputError, match="has steps below 0 or above"):
        read_table(tmp_path / "m.csv", "x")


def test_bad_files_are_reported_and_the_others_are_read(tmp_path: Path) -> None:
    found: list[Problem] = []
    write(tmp_path / "a" / "70m_step1.json", {"results": harness_results()})
    write(tmp_path / "a" / "70m_step2.json", "{")
    write(tmp_path / "a" / "70m_step3.json", {"results": harness_results() | {"wsc": {"acc": None}}})
    assert read_lm_eval(tmp_path / "a", "own", found.append)["step"].to_list() == [1]
    assert [(problem.code, Path(problem.file).name) for problem in found] == [
        ("not-json", "70m_step2.json"),
        ("no-accuracy", "70m_step3.json"),
    ]
    found.clear()
    write(tmp_path / "b" / "eval_results" / "step_1.json", {"paloma": None, "c4": 3, "books": "low"})
    write(tmp_path / "b" / "eval_results" / "step_2.json", [1])
    table = read_paloma(tmp_path / "b", "own", found.append)
    assert table.select("step", "metric", "value").rows() == [(1, "c4", 3.0), (1, "paloma", None)]
    assert [problem.code for problem in found] == ["no-number", "no-object"]


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
