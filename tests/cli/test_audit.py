"""``gradcascade audit``, and ``measure`` that obeys what it wrote."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import warm
from sample_runs import write_pico_run

import gradcascade as gc
from gradcascade.report.access import study_data
from gradcascade.report.page import write_report


def command(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return warm.command(*words, cwd=cwd, environment={"COLUMNS": "80"})


@pytest.fixture
def family(tmp_path: Path) -> Path:
    for width in (12, 18, 24):
        write_pico_run(tmp_path / "runs" / f"tiny-d{width}", (0, 10, 20, 30, 40), width, blocks=2)
    return tmp_path


def spoil(family: Path) -> None:
    """Step 20 of d18 has the gradient of step 10 and no number in its weights."""
    steps = family / "runs" / "tiny-d18" / "checkpoints"
    name = "learning_dynamics/train_gradients.pt"
    shutil.copyfile(steps / "step_10" / name, steps / "step_20" / name)
    import safetensors.numpy

    path = steps / "step_20" / "model.safetensors"
    tensors = safetensors.numpy.load_file(path)
    tensors["layers.0.swiglu.w_2.weight"][0] = np.nan
    safetensors.numpy.save_file(tensors, path)


def test_a_clean_family_has_nothing_to_report(family: Path) -> None:
    done = command("audit", "runs", cwd=family)
    assert done.returncode == 0
    assert done.stdout.splitlines()[1:3] == [
        "  d12, d18, d24 / gradient: 6 tensors, 1,536 to 6,144 entries in canonical",
        "      order: Pico's tensors, v_proj, o_proj and swiglu.w_2 of every block",
    ]
    assert done.stdout.splitlines()[6:8] == [
        "  36 checks: 32 passed, 0 failed, 4 not applicable (missing-shard,",
        "      identical-shard, label, known)",
    ]
    assert [line.split()[:2] for line in done.stdout.splitlines() if "frozen" in line and line[2:6] == "note"] == [
        ["note", scale] for scale in ("d12", "d18", "d24")
    ]  # the norms of these runs never change
    assert done.stdout.startswith("tiny: 3 scales, 15 steps, 30 files")
    found = json.loads(command("audit", "runs", "--json", cwd=family).stdout)
    assert {(f["code"], f["severity"]) for f in found["families"][0]["findings"]} == {("frozen", "note")}
    assert found["families"][0]["quarantine"] == []
    assert found["families"][0]["runs"][0] | {"bytes": 0} == {
        "scale": "d12", "run": "0", "steps": [0, 10, 20, 30, 40], "files": 10, "bytes": 0,
    }  # fmt: skip


@pytest.mark.usefixtures("no_figures")
def test_what_is_found_is_shown_listed_and_left_out_of_the_measurement(family: Path) -> None:
    spoil(family)
    done = command("audit", "runs", "--out", "study/quarantine.toml", cwd=family)
    assert done.returncode == 0, done.stderr
    assert all(len(line) <= 100 for line in done.stdout.splitlines())
    assert "fault  d18  steps 10 and 20  identical-files" in done.stdout
    assert "fault  d18  step 20          not-finite" in done.stdout
    assert "2 faults" in done.stdout and "4 snapshots to quarantine; written to study/quarantine.toml" in done.stdout
    done = command("measure", "runs", "--out", "study", "--nulls", "", "--json", cwd=family)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert (outcome["measured"], outcome["refused"], len(outcome["quarantined"])) == (3 * 9 - 4, [], 4)
    with gc.Study.open(family / "study") as study:
        page = write_report(study_data(study), family / "report").read_text(encoding="utf-8")
    assert (
        "in quarantine: " in page and "entries that are not finite" in page and "identical at steps 10 and 20" in page
    )


def test_a_list_given_to_measure_is_kept_by_the_study(family: Path) -> None:
    spoil(family)
    found = json.loads(command("audit", "runs", "--out", "q.toml", "--json", cwd=family).stdout)
    assert found["out"] == "q.toml" and len(found["families"][0]["quarantine"]) == 4
    words = ("measure", "runs", "--out", "study", "--nulls", "")
    dry = command(*words, "--quarantine", "q.toml", "--dry-run", "--json", cwd=family)
    assert json.loads(dry.stdout)["snapshots"] == 23 and not (family / "study").exists()
    done = command(*words, "--quarantine", "q.toml", cwd=family)
    assert done.returncode == 0 and "4 snapshots left out" in done.stdout, done.stderr
    again = command(*words, "--json", cwd=family)
    assert len(json.loads(again.stdout)["quarantined"]) == 4
    (family / "study" / "quarantine.toml").unlink()
    without = command(*words, "--json", cwd=family)
    assert without.returncode == 2 and len(json.loads(without.stdout)["refused"]) == 2  # NaN is refused anyway


def test_a_plan_decides_family_label_and_gradients(family: Path) -> None:
    spoil(family)
    (family / "plan.toml").write_text('[[families]]\nname = "mine"\npath = "runs"\nlabel = "earlier"\n')
    found = json.loads(command("audit", "plan.toml", "--out", "q.toml", "--json", cwd=family).stdout)
    entries = [(e["family"], e["field"], e["step"]) for e in found["families"][0]["quarantine"]]
    assert entries == [
        ("mine", "gradient", 10),
        ("mine", "gradient", 20),
        ("mine", "update", 10),
        ("mine", "update", 20),
    ]
    done = command("measure", "plan.toml", "--out", "study", "--quarantine", "q.toml", "--dry-run", cwd=family)
    assert done.returncode == 0 and "23 snapshots" in done.stdout
    other = command("measure", "runs", "--out", "other", "--quarantine", "q.toml", cwd=family)
    assert other.returncode == 2 and "'mine'" in other.stderr and not (family / "other").exists()


def test_a_plan_names_the_runs_of_a_scale(family: Path) -> None:
    shutil.copytree(family / "runs" / "tiny-d12", family / "runs" / "again")
    runs = '{1 = "tiny-d12", 2 = "again"}'
    (family / "plan.toml").write_text(f'[[families]]\nname = "mine"\npath = "runs"\nruns.d12 = {runs}\n')
    found = json.loads(command("audit", "plan.toml", "--no-contents", "--json", cwd=family).stdout)["families"][0]
    assert [(run["scale"], run["run"]) for run in found["runs"]] == [("d12", "1"), ("d12", "2")]


def test_without_contents_no_tensor_is_read(family: Path) -> None:
    spoil(family)
    found = json.loads(command("audit", "runs", "--no-contents", "--json", cwd=family).stdout)
    assert {f["code"] for f in found["families"][0]["findings"]} == {"identical-files"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pythia-seed0",), "is not a folder of runs, nor one of pico-lm, pythia, neox-pythia"),
        (("empty",), "holds no runs"),
        (("plan.toml",), "does not exist"),
        (("none.toml",), "names no family"),
        (("none.toml", "--family", "x"), "--family is given beside"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "none.toml").touch()
    done = command("audit", *words, cwd=tmp_path)
    assert done.returncode == 2 and said in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_list_in_the_study_that_is_broken_stops_measure(family: Path) -> None:
    (family / "study").mkdir()
    (family / "study" / "quarantine.toml").write_text("snapshots = 3")
    done = command("measure", "runs", "--out", "study", cwd=family)
    assert done.returncode == 2 and "quarantine.toml" in done.stderr
