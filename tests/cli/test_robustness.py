import json
import re
import shutil
import signal
import subprocess
import sys

import pytest
from sample_runs import write_pico_run
from warm import command

import gradcascade as gc


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    folder = tmp_path_factory.mktemp("family")
    for width in (6, 12, 18):
        write_pico_run(folder / "runs" / f"tiny-d{width}", tuple(range(0, 80, 10)), width, blocks=2)
    assert command("measure", "runs", "--out", "study", "--fields", "gradient", cwd=folder).returncode == 0
    return folder


@pytest.fixture(scope="module")
def printed(family):
    done = command("robustness", "study", "--steps", 5, "--replicates", 2, cwd=family)
    assert done.returncode == 0, done.stderr
    return done


def files_of(folder):
    """Without the log that SQLite keeps while a study is open."""
    found = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm"))]
    return sorted((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in found)


def test_a_study_that_may_not_be_written_to_is_taken_into_a_new_one(family, tmp_path):
    kept = files_of(family / "study")
    words = ("--steps", 1, "--replicates", 1, "--orders", "", "--json")
    done = command("robustness", "study", *words, "--out", tmp_path / "copy", cwd=family)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["measured"] > 0 and found["refused"] == [] and files_of(family / "study") == kept
    with gc.Study.open(tmp_path / "copy") as study:
        assert study.cascades().height == 3 * 8 * 4
    again = json.loads(command("robustness", tmp_path / "copy", *words, cwd=family).stdout)
    assert (again["measured"], again["robustness"]) == (0, found["robustness"])
    assert command("robustness", "study", *words, "--out", tmp_path / "copy", cwd=family).returncode == 2


def test_it_prints_every_choice_farthest_first(printed):
    lines = printed.stdout.splitlines()
    assert lines[0] == f"{3 * 5 * (22 + 7)} cascades measured, {3 * 5 * 4} known before"
    assert "alpha 0.3, quantile 0.9, barabasi-albert graph, seed 42" in lines[1]
    assert lines[2] == "tiny, gradients, 5 steps of 20 to 70"
    for exponent in ("D", "z", "delta"):
        start = next(i for i, line in enumerate(lines) if line.startswith(f"  {exponent} = "))
        rows = lines[start + 1 : start + 27]
        shifts = [abs(float(row.split("[")[0].split()[-1])) for row in rows]
        assert shifts == sorted(shifts, reverse=True)
        for choice in (
            "graph ring",
            "graph seed 43",
            "alpha 0.2",
            "quantile 0.95",
            "N2",
            "in-block",
            "clipped",
            "order random 4",
        ):
            assert any(row.startswith(f"    {choice:<24}") for row in rows)
        assert all(row.endswith(("moves", "within noise", "the same")) for row in rows)
    assert lines[3] == "  looked at: 57 shifts of choices and 21 shifts of nulls"
    start = lines.index("  over 8 orders of the tensors, at 5 steps")
    for exponent, line in zip(("D", "z", "delta"), lines[start + 1 :], strict=False):
        number = r"[+-][0-9.]+"
        spread = r"SD [0-9.]+ \[[0-9.]+, [0-9.]+\]"
        free = rf"of no order \(N2\) {number} \[{number}, {number}\]"
        assert re.fullmatch(rf"    {exponent} +{number} to {number}, {spread}; {free}", line), line
    assert max(map(len, lines)) <= 110
    assert printed.stderr.splitlines()[0].startswith("measuring: 1/")


def test_the_same_command_is_free_and_the_fits_are_as_before(family, printed):
    before = command("fit", "study", "--json", cwd=family).stdout
    done = command("robustness", "study", "--steps", 5, "--replicates", 2, "--json", cwd=family)
    found = json.loads(done.stdout)
    assert (found["measured"], found["known"], found["refused"]) == (0, 3 * 5 * 33, [])
    with gc.Study.open(family / "study") as study:
        whole = gc.robustness(study, steps=5, replicates=2)
        expected = whole.table
        assert {row["variant"] for row in study.cascades().to_dicts()} == {"real", "N0", "N1", "N2"}
        assert study.cascades()["probe_hash"].unique().to_list() == [gc.Probe().hash]
    assert found["robustness"] == expected.to_dicts()
    assert found["orders"] == whole.orders.to_dicts() and found["order_spread"] == whole.spread.to_dicts()
    assert command("fit", "study", "--json", cwd=family).stdout == before


def test_an_interrupt_says_how_to_continue_and_loses_nothing(family, tmp_path):
    shutil.copytree(family / "runs", tmp_path / "runs")
    assert command("measure", "runs", "--out", "study", "--nulls", "", cwd=tmp_path).returncode == 0
    words = [sys.executable, "-m", "gradcascade", "robustness", "study", "--replicates", "500"]
    process = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    with gc.Study.open(tmp_path / "study") as study:
        planned = study.cascades()
        while len(study.cascades(everything=True)) == len(planned):
            process.stderr.readline()  # a line of progress
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "the same command continues" in said
    with gc.Study.open(tmp_path / "study") as study:
        assert study.cascades().equals(planned)


def test_sources_that_are_gone_are_one_sentence(family, tmp_path):
    shutil.copytree(family / "study", tmp_path / "study")
    done = command("robustness", "study", cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert "runs" in done.stderr and "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_snapshot_that_cannot_be_read_is_named_after_the_rest(family, tmp_path):
    shutil.copytree(family / "runs", tmp_path / "runs")
    assert command("measure", "runs", "--out", "study", "--fields", "gradient", cwd=tmp_path).returncode == 0
    path = tmp_path / "runs" / "tiny-d12" / "checkpoints" / "step_70" / "learning_dynamics" / "train_gradients.pt"
    path.write_bytes(b"PK")
    done = command("robustness", "study", "--steps", 2, "--replicates", 1, cwd=tmp_path)
    assert done.returncode == 2
    assert "1 snapshot could not be measured: d12, step 70, gradient: " in done.stderr
    assert "graph ring" in done.stdout


@pytest.mark.parametrize("words", [["nowhere"], ["study", "--steps", 0], ["study", "--orders", "file,back"]])
def test_bad_input(family, words):
    done = command("robustness", *words, cwd=family)
    assert done.returncode == 2 and done.stdout == "" and "Traceback" not in done.stderr
