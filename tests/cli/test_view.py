"""`gradcascade view` as a process of its own, beside a `measure` that runs."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request

import pytest
from sample_runs import write_pico_run

import gradcascade as gc
from gradcascade.study.plan import FamilyPlan


def start(*words, cwd=None, run=("-m", "gradcascade")):
    words = [sys.executable, "-W", "error", *run, *map(str, words)]
    pipe = subprocess.PIPE
    return subprocess.Popen(words, cwd=cwd, stdout=pipe, stderr=pipe, text=True)


@pytest.fixture
def folder(tmp_path):
    for width in (6, 12, 18):
        write_pico_run(tmp_path / "runs" / f"tiny-d{width}", (0, 10, 20), width, blocks=1)
    return tmp_path


@pytest.fixture
def planned(folder):
    """A study that has a plan and nothing else yet."""
    gc.Study.create(folder / "study", gc.Plan(families=(FamilyPlan(name="tiny", path="../runs"),))).close()
    return folder / "study"


@pytest.fixture
def view(planned):
    # How long it waits between two reports is told in tests/view/test_live.py; here the last one comes at once, and
    # without the figures for paper, which would be drawn for every report.
    code = (
        "from gradcascade.view import live; live.PATIENCE = 0; from gradcascade.report import figure_views; "
        "figure_views.all_figures = lambda data: []; from gradcascade.cli.main import main; main()"
    )
    process = start("view", planned, run=("-c", code))
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"the report of \S+ is at (http://127\.0\.0\.1:\d+/) \(Ctrl-C ends\)\n", line)
    assert found, line
    yield process, found[1]
    process.kill()
    process.communicate()


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def until(url, reached, seconds=300):
    deadline = time.monotonic() + seconds
    while not reached(told := json.loads(get(f"{url}version"))):
        assert time.monotonic() < deadline, told
        time.sleep(0.1)
    return told


def test_it_follows_a_measurement_and_ends_with_ctrl_c(folder, planned, view):
    process, url = view
    assert "Waiting for the first report" in get(url)
    until(url, lambda told: told["words"].startswith("There are no cascades yet"))
    measure = start("measure", "runs", "--family", "tiny", "--out", "study", cwd=folder)
    assert measure.wait(300) == 0, measure.communicate()
    measure.communicate()
    told = until(url, lambda told: told["words"] == "Measuring has ended: 60 cascades." and told["version"])
    assert not told["measuring"]
    page = get(f"{url}report/index.html")
    assert page.lower().startswith("<!doctype html>") and "tiny" in page
    assert {path.name for path in planned.iterdir()} == {
        "contents.json",
        "plan.toml",
        "provenance.json",
        "schedules.json",
        "cascades.sqlite",
    }
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.strip()) == (0, "", "")


def test_a_port_in_use_and_a_missing_study_are_one_sentence(planned, view):
    port = re.findall(r"\d+", view[1])[-1]
    for words, said in (
        (
            ("view", planned, "--port", port),
            f"gradcascade: port {port} is in use; give --port another, or leave it out",
        ),
        (("view", planned / "nothing"), "is not a study (it has no plan.toml)"),
    ):
        process = start(*words)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 2 and said in err and len(err.splitlines()) == 1
        assert out == ""


def test_a_browser_is_opened_on_a_terminal_only_and_only_if_wanted(planned, monkeypatch):
    from gradcascade.cli import view as module
    from gradcascade.view.live import LiveReport

    opened = []
    monkeypatch.setattr(module.webbrowser, "open", opened.append)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(LiveReport, "follow", interrupted)
    for terminal, no_open in ((False, False), (True, True), (True, False)):
        monkeypatch.setattr(sys.stdout, "isatty", lambda terminal=terminal: terminal, raising=False)
        assert opened == []
        module.view(planned, no_open=no_open)
    assert len(opened) == 1 and opened[0].startswith("http://127.0.0.1:")


def test_help_of_view_imports_nothing_heavy():
    code = "import sys; from gradcascade.cli import view; print({'polars', 'matplotlib', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "set()"
