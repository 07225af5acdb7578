from __future__ import annotations

from pathlib import Path

import pytest
from harness_results import harness_results, write

from gradcascade.errors import InputError
from gradcascade.evaluations import Problem
from gradcascade.performance.readers import NAMED_TASKS, read_lm_eval, read_paloma, read_table, tasks_of


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
