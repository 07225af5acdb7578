import os
import signal
import sqlite3
import subprocess
import sys

import pytest

import gradcascade as gc
from gradcascade.sources.base import Name
from gradcascade.study.store import Contents
from gradcascade.view.watch import glance


def test_a_look_changes_nothing_and_sees_the_same_again(study):
    before = {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in study.iterdir()}
    first = glance(study)
    assert first == glance(study)
    assert first.cascades == 3 * 7 * 2 and not first.measuring
    assert {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in study.iterdir()} == before


def test_what_a_report_shows_changes_the_mark(study, add_cascade):
    marks = [glance(study).mark]
    plan = (study / "plan.toml").read_text(encoding="utf-8")

    def changed():
        marks.append(glance(study).mark)
        return marks[-1] not in marks[:-1]

    with gc.Study.open(study) as opened:
        add_cascade(opened)
        assert changed()
        opened.store.refuse(Name("tiny", "d6", "0", 10, "update"), 10, "unreadable", "lost")
        assert changed()
        opened.store.set_current(
            Name("tiny", "d6", "0", 10, "gradient"), None, Contents("other contents"), "train file later"
        )
        assert changed()
        opened.store.put_metrics(opened.metrics().with_columns(value=1.0))
        assert changed()
    (study / "plan.toml").write_text(plan.replace("[fit]", "[fit]\nwindow = [0, 20]"), encoding="utf-8")
    assert changed()
    assert not changed()


def test_an_open_study_is_being_measured_until_it_is_closed(study, add_cascade):
    with gc.Study.open(study) as opened:
        add_cascade(opened)
        assert glance(study).measuring
    assert not glance(study).measuring


def test_a_killed_measurement_is_over(study):
    code = (
        "import sys, gradcascade as gc; s = gc.Study.open(sys.argv[1]); s.cascades(); print(1, flush=True); input()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(study)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        assert glance(study).measuring
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
    finally:
        process.kill()
        process.communicate()
    glance(study)
    assert not glance(study).measuring


def test_no_store_and_an_empty_store_hold_no_cascades(tmp_path):
    assert glance(tmp_path)[::2] == (0, False)
    (tmp_path / "cascades.sqlite").touch()
    assert glance(tmp_path)[::2] == (0, False)


def test_a_broken_store_is_an_error_of_sqlite(tmp_path):
    (tmp_path / "cascades.sqlite").write_text("no database at all " * 100)
    with pytest.raises(sqlite3.DatabaseError):
        glance(tmp_path)
