import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from format_1 import as_format_1
from sample_runs import write_pico_run

import gradcascade as gc
from gradcascade.sources.base import Name
from gradcascade.study import migration, reading
from gradcascade.study.plan import FamilyPlan, NullPlan, Plan
from gradcascade.study.store import Store

PLAN = Plan(families=(FamilyPlan(name="tiny", path="../runs"),), nulls=NullPlan(kinds=("N2", "signs")))


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    for width in (6, 12):
        write_pico_run(folder / "runs" / f"tiny-d{width}", (0, 10, 20), width, blocks=1)
    with gc.Study.create(folder / "study", PLAN) as study:
        gc.run(study)
        study.store.refuse(Name("tiny", "d6", "0", 30, "gradient"), None, "unreadable", "broken")
        table = study.cascades()
    return folder, table


@pytest.fixture
def old(measured, tmp_path):
    """A study as format 1 wrote it, and its table as format 2 measures it."""
    import shutil

    folder, table = measured
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True, copy_function=shutil.copy2)
    as_format_1(tmp_path / "study")
    return tmp_path / "study", table


def files(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_a_study_of_format_1_is_read_without_being_written(old):
    folder, table = old
    before = files(folder)
    with gc.Study.open(folder) as study:
        assert study.cascades().equals(table)
        assert set(study.current().filter(study.current()["field"] == "update")["span"]) == {10}
        assert study.refusals().rows() == [("tiny", "d6", "0", 30, "gradient", None, "unmeasurable", "broken")]
        assert study.plan == PLAN
    assert files(folder) == before


def test_a_study_of_format_1_that_was_killed_is_read_from_its_log(old):
    folder, table = old
    code = f"""
import os, signal, sqlite3
connection = sqlite3.connect({str(folder / "cascades.sqlite")!r}, isolation_level=None)
connection.execute("UPDATE cascades SET seconds = 7")
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    before = files(folder)
    assert len(before["cascades.sqlite-wal"][0]) > 0
    with gc.Study.open(folder) as study:
        assert set(study.cascades()["seconds"]) == {7.0}
        assert study.cascades().drop("seconds").equals(table.drop("seconds"))
    assert files(folder) == before


def test_a_damaged_study_of_format_1_is_refused_and_let_go_of(old, monkeypatch):
    folder, _ = old
    with closing(sqlite3.connect(folder / "cascades.sqlite")) as connection:
        connection.execute("DROP TABLE current")
    opened = []
    in_memory = reading.in_memory
    monkeypatch.setattr(reading, "in_memory", lambda path: opened.append(in_memory(path)) or opened[-1])
    with pytest.raises(gc.InputError, match=r"cascades\.sqlite"):
        gc.Study.open(folder)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[-1].execute("SELECT 1")


def test_the_first_write_migrates_keeps_the_old_files_and_measures_nothing_again(old, caplog, monkeypatch):
    folder, table = old
    plan = (folder / "plan.toml").read_text()
    monkeypatch.setattr("gradcascade.sources.base.SnapshotRef.load", lambda self: pytest.fail("read again"))
    with gc.Study.create(folder, PLAN) as study:
        outcome = gc.run(study)
        assert (outcome.measured, outcome.known) == (0, len(table))
        assert study.cascades().equals(table)
    assert [message for message in caplog.messages if "is now of format 2" in message] == caplog.messages
    assert (folder / "plan.format-1.toml").read_text() == plan
    assert (folder / "plan.toml").read_text().startswith("format = 2")
    assert migration.version_of(folder / "cascades.sqlite", 2) == 2
    assert migration.version_of(folder / "cascades.format-1.sqlite", 2) == 1
    with closing(Store(folder / "cascades.format-1.sqlite")) as kept:
        assert len(kept.cascades()) == len(table)


def test_writing_through_an_opened_study_brings_its_plan_along(old):
    folder, table = old
    with gc.Study.open(folder) as study:
        study.store.put_metrics(study.metrics())
        assert study.cascades().equals(table)
    assert (folder / "plan.toml").read_text().startswith("format = 2")
    assert (folder / "plan.format-1.toml").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
@pytest.mark.parametrize("moment", ["_fill_cascades", "keep_copy"])
def test_a_kill_in_the_middle_of_migrating_leaves_the_old_study(old, moment):
    folder, table = old
    code = f"""
import os, signal
from gradcascade.study import migration, store
from pathlib import Path
opened = store.Store(Path({str(folder / "cascades.sqlite")!r}))
before = getattr(migration, {moment!r})
def killed(*arguments):
    before(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(migration, {moment!r}, killed)
opened.put_metrics(opened.metrics())
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert migration.version_of(folder / "cascades.sqlite", 2) == 1
    with gc.Study.open(folder) as study:
        assert study.cascades().equals(table)
        study.store.put_metrics(study.metrics())
    with gc.Study.open(folder) as study:
        assert study.cascades().equals(table)
    assert migration.version_of(folder / "cascades.sqlite", 2) == 2


@pytest.mark.parametrize(
    ("source", "steps"),
    [
        ("runs/x/step_20/model.safetensors minus runs/x/step_10/model.safetensors", (10, 20)),
        ("owner/name: step512 minus step256", (256, 512)),
        ("runs/x/step_20/train_gradients.pt", None),
    ],
)
def test_the_steps_of_an_update_of_format_1_are_in_its_source(source, steps):
    assert migration.steps_of(source) == steps
