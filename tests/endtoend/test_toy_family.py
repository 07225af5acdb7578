"""A family is one file: it is listed, measured from the hub, fitted in its own window, and nothing else is added."""

import json
from pathlib import Path

import pytest
from remote_runs import add_pythia_model, parameters_of, pythia_tensors

import gradcascade as gc
from gradcascade import families
from gradcascade.families.files import VARIABLE

STEPS = (0, 10, 20, 30, 40)
EXPECTED = families.expected_entries
WIDTHS = {"s": 4, "m": 6, "l": 8}
TOY = """
name = "toy"
title = "A toy family"
layout = "pythia"
fields = ["update"]
repository = "lab/toy-{scale}-run{run}"
runs = ["a", "b"]
run_preset = "toy-{run}"
steps = ["0:30:10"]
window = [20, 30]
[scales]
[schedule]
kind = "constant"
peak = 1.0
warmup = 5
total = 30
[[faults]]
code = "late"
repositories = ["lab/toy-l-runb"]
steps = [20]
spoils = "nothing"
sentence = "the loss rises there"
tracker = "lab/toy"
issues = [7]
[[citations]]
key = "lab2026toy"
authors = ["Lab, A."]
title = "Toys"
year = 2026
[verified]
state = "measured"
evidence = "by this test"
"""


@pytest.fixture
def toy(hub, at_the_hub, tmp_path, monkeypatch):
    """Fills the hub and writes the family's file; gives a function that writes it with other entries."""
    for run in "ab":
        for scale, width in WIDTHS.items():
            add_pythia_model(hub.repository(f"lab/toy-{scale}-run{run}"), width, STEPS, tmp_path / "files")
    monkeypatch.setattr(families, "expected_entries", EXPECTED)  # the fixture of the hub replaces it

    def write(name, **other):
        sizes = {
            scale: sum(v.size for v in parameters_of(pythia_tensors(w, 0)).values()) for scale, w in WIDTHS.items()
        }
        lines = [f"{scale} = {{ entries = {number} }}" for scale, number in (sizes | other).items()]
        (tmp_path / name).mkdir()
        (tmp_path / name / "toy.toml").write_text(TOY.replace("[scales]\n", "\n".join(["[scales]", *lines, ""])))
        monkeypatch.setenv(VARIABLE, str(tmp_path / name))

    return write


def test_one_file_makes_a_family_that_is_measured_fitted_and_cited(toy, command):
    toy("families")
    assert "toy " in command("families")[1] and "the loss rises there" in command("families", "toy")[1]
    code, out, err = command("measure", "toy", "--out", "S", "--nulls", "N0", "--json")
    assert (code, json.loads(out)) == (
        0,
        {"measured": 2 * 3 * 3 * 2, "known": 0, "left": 0, "refused": [], "quarantined": []},
    ), err
    fits = json.loads(command("fit", "S", "--json")[1])
    assert fits["windows"] == [{"family": "toy", "field": "update", "window": [20, 30]}]
    assert {row["n_steps"] for row in fits["summary"]} == {2}
    with gc.Study.open("S") as study:
        assert set(study.cascades()["run"]) == {"a", "b"}
        assert set(study.cascades()["step"]) == {10, 20, 30}  # step 40 is at the hub, and not in the file
        assert study.schedules()["toy"]([50]).tolist() == [1.0]
    assert command("export", "S", "--out", "E")[0] == 0
    assert "lab2026toy" in Path("E/CITATION.bib").read_text()
    code, out, err = command("measure", "toy-b", "--out", "S", "--nulls", "N0", "--json")
    assert (code, json.loads(out)["measured"]) == (0, 18), err
    with gc.Study.open("S") as study:  # one run alone is a family of that name
        assert set(study.cascades().filter(family="toy-b")["run"]) == {"0"}
    assert command("families", "toys")[2].endswith("did you mean 'toy'?\n")


def test_a_field_of_another_size_than_the_file_says_is_refused(toy, command):
    toy("families", m=1)
    code, _, err = command("measure", "toy", "--out", "S", "--nulls", "", "--json")
    assert code == 2 and "and that of lab/toy-m-runa has 1 (see `gradcascade families`); it is another model" in err
