from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from harness_results import harness_results, renamed, write, written_today

from gradcascade.errors import InputError
from gradcascade.evaluations import Problem
from gradcascade.performance.harness import tasks_of
from gradcascade.performance.metrics import METRIC_SCHEMA, metric_exponent, metric_exponents
from gradcascade.performance.readers import NAMED_TASKS, read_lm_eval, read_metrics, read_paloma, read_table


def test_the_named_tasks_are_those_of_the_publication() -> None:
    assert tasks_of("pythia").named == NAMED_TASKS and len(NAMED_TASKS) == 8


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


def table(*rows):
    return pl.DataFrame(rows, schema=METRIC_SCHEMA, orient="row")


def test_each_kind_of_file_is_read_by_its_reader(tmp_path):
    (tmp_path / "m.csv").write_text("scale,step,loss\n70m,10,2.5\n")
    table(("own", "70m", 10, "loss", 2.5)).write_parquet(tmp_path / "m.parquet")
    write(tmp_path / "runs" / "tiny" / "eval_results" / "step_10.json", {"paloma": 50})
    write(tmp_path / "evals" / "zero-shot" / "70m_step10.json", {"results": harness_results()})
    assert read_metrics(tmp_path / "m.csv", "own").rows() == [("own", "70m", 10, "loss", 2.5)]
    assert read_metrics(tmp_path / "m.parquet", "another").rows() == [("own", "70m", 10, "loss", 2.5)]
    for folder in (tmp_path, tmp_path / "runs", tmp_path / "runs" / "tiny"):
        assert read_metrics(folder, "own").rows() == [("own", "tiny", 10, "paloma", 50.0)]
    assert read_metrics(tmp_path / "evals", "own")["metric"].to_list() == ["accuracy"]


def test_names_of_the_harness_since_version_0_4(tmp_path):
    old = harness_results()
    renamed = {task: {f"{key},none": value for key, value in values.items()} for task, values in old.items()}
    write(tmp_path / "old" / "70m_step10.json", {"results": old})
    write(tmp_path / "new" / "70m_step10.json", {"results": renamed})
    assert read_metrics(tmp_path / "new", "own").equals(read_metrics(tmp_path / "old", "own"))


def test_what_is_no_metrics_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(
        InputError, match=r"holds neither files named like 70m_step143000\.json or results_.*\.json nor eval_results"
    ):
        read_metrics(tmp_path, "own")
    with pytest.raises(InputError, match="names no family; say which family it belongs to"):
        read_metrics(tmp_path)
    with pytest.raises(InputError, match=r"neither \.csv nor \.parquet"):
        read_metrics(tmp_path / "notes.txt", "own")
    with pytest.raises(InputError, match="does not exist"):
        read_metrics(tmp_path / "absent.csv", "own")


def test_slopes_of_several_families_use_each_familys_own_sizes():
    sizes = {"a": {"s": 100, "m": 1_000, "l": 10_000}, "b": {"s": 10, "m": 1_000, "l": 100_000}}
    rows = [(family, scale, 1, "loss", n**-0.25) for family, own in sizes.items() for scale, n in own.items()]
    cascades = pl.DataFrame(
        [(family, scale, n) for family, own in sizes.items() for scale, n in own.items()],
        schema={"family": pl.String, "scale": pl.String, "n": pl.Int64},
        orient="row",
    )
    slopes = metric_exponents(table(*rows), cascades)
    assert slopes["family"].to_list() == ["a", "b"]
    assert slopes["value"].to_list() == pytest.approx([-0.25, -0.25])
    assert slopes.filter(pl.col("family") == "a").equals(
        metric_exponent(table(*rows).filter(pl.col("family") == "a"), sizes["a"])
    )
    assert metric_exponents(table(), cascades).is_empty()


def test_attached_json_is_never_taken_for_a_table(tmp_path):
    (tmp_path / "m.json").write_text(json.dumps({"paloma": 3}))
    with pytest.raises(InputError, match=r"neither \.csv nor \.parquet"):
        read_metrics(tmp_path / "m.json", "own")


def test_a_single_file_of_the_harness_is_read(tmp_path):
    arguments = {"model_args": "pretrained=a/b,revision=step10"}
    path = written_today(tmp_path / "a__b", renamed(harness_results()), "2024-05-01T12-00-00.1", **arguments)
    assert read_metrics(path, "own").select("scale", "step", "metric").rows() == [("a/b", 10, "accuracy")]
    with pytest.raises(InputError, match="has no metric 'loss'; it has accuracy"):
        read_metrics(tmp_path, "own", only=["loss"])
