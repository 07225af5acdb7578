import json
import sys

import pytest

from gradcascade import families
from gradcascade.cli.main import main


@pytest.fixture
def command(monkeypatch, capsys):
    def run(*words):
        monkeypatch.setattr(sys, "argv", ["gradcascade", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


def test_the_list_has_a_line_for_each_family(command):
    code, out, _ = command("families")
    head, *rows = out.splitlines()
    assert code == 0 and head.split() == ["NAME", "SCALES", "RUNS", "FIELDS", "STEPS", "WINDOW", "VERIFIED"]
    assert [row.split()[0] for row in rows] == list(families.families())
    assert rows[1].split() == ["pythia", "5", "9", "update", "154", "4,000-73,000", "documented"]
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("name", families.presets())
def test_a_family_is_shown_with_its_faults_its_published_values_and_its_citation(command, name):
    known, runs = families.presets()[name]
    code, out, _ = command("families", name)
    words = " ".join(out.split())
    assert code == 0 and out.startswith(f"{known.name}: {known.title}\n")
    for place in known.repositories(runs[0], known.variant(name)).values():
        assert place in words
    for fault in known.faults:
        assert fault.sentence in words and all(url in words for url in fault.urls)
    for citation in known.citations:
        assert citation.title in words and f"arXiv:{citation.arxiv}" in words
    for value in known.published.values if known.published else ():
        assert f"{value.quantity}, {value.variant}" in words and f"{value.value:g}" in words
    long = [line for line in out.splitlines() if len(line) > 80]
    assert not [line for line in long if "/" not in line]  # addresses and repositories are not broken


def test_the_outlier_run_inside_the_published_family_is_told(command):
    words = " ".join(command("families", "pythia")[1].split())
    assert "EleutherAI/pythia-410m-seed3, 70 steps from 74,000 to 143,000" in words
    assert "falls from 0.998 at step 73,000 to 0.394 at 83,000" in words


def test_as_json(command):
    every = json.loads(command("families", "--json")[1])["families"]
    one = json.loads(command("families", "pythia-seed7", "--json")[1])
    assert [entry["name"] for entry in every] == list(families.families()) and one == every[1]
    assert one["window"] == [4000, 73000] and one["repositories"]["7"]["70m"] == "EleutherAI/pythia-70m-seed7"
    assert one["presets"]["pythia"] == ["3"] and one["n_steps"] == 154 == len(one["steps"])
    assert one["faults"][0]["urls"][0] == "https://github.com/EleutherAI/pythia/issues/83"


def test_an_unknown_name_is_refused_with_the_nearest(command):
    assert command("families", "phytia")[::2] == (
        2,
        "gradcascade: there is no family 'phytia'; did you mean 'pythia'?\n",
    )
