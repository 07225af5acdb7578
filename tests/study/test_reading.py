"""Whoever may only read a study can read it, also beside one who writes it."""

import json
import os
import sqlite3
import subprocess
import sys

import pytest
import unprivileged

from gradcascade.errors import InputError
from gradcascade.sources.base import Name
from gradcascade.study import reading
from gradcascade.study.store import Contents, Store
from gradcascade.view.watch import glance

NAME = Name("nano", "d24", "0", 10, "gradient")


def row(step=10):
    return {
        **NAME._asdict(), "step": step, "span": None, "variant": "real", "replicate": 0, "n": 100, "tau": 0.5,
        "size": 13, "duration": 2, "ceiling": False, "activity": [10, 3], "max_over_tau": 2.0, "kurtosis": None,
        "zero_share": 0.0, "source": "here", "revision": "local", "content_hash": "c", "layout_hash": "",
        "probe_hash": "p", "seed": 0, "seconds": 0.1,
    }  # fmt: skip


READ = """
import sys
from pathlib import Path
from gradcascade.errors import InputError
from gradcascade.study.store import Store
from gradcascade.view.watch import glance

path = Path(sys.argv[1])
with Store(path) as store:
    print(len(store.cascades()), len(store.current()), glance(path.parent).cascades, flush=True)
    if sys.argv[2:] == ["twice"]:
        sys.stdin.readline()
        print(len(store.cascades()), glance(path.parent).cascades, flush=True)
    try:
        store.put_metrics(store.metrics())
    except InputError as error:
        print(error)
"""


@pytest.fixture
def closed(tmp_path):
    """A store with one cascade, in a folder that cannot be written."""
    folder = tmp_path / "study"
    folder.mkdir()
    with Store(folder / "cascades.sqlite") as store:
        store.add(row())
        store.set_current(NAME, None, Contents("c"), "train file later")
    for path in (folder / "cascades.sqlite", folder):
        path.chmod(path.stat().st_mode & ~0o222)
    yield folder / "cascades.sqlite"
    folder.chmod(0o755)


def test_a_store_that_cannot_be_written_is_read(closed):
    done = unprivileged.python(READ, str(closed))
    first, second = done.stdout.splitlines()
    assert first == "1 1 1", done.stderr
    assert second.startswith(f"the study {closed.parent} can be read but not written") and "Permission" in second
    assert [path.name for path in closed.parent.iterdir()] == [closed.name]


@pytest.mark.parametrize("open_part", ["folder", "file"])
def test_so_is_one_of_which_only_the_file_or_the_folder_cannot_be_written(closed, open_part):
    (closed.parent if open_part == "folder" else closed).chmod(0o755)
    done = unprivileged.python(READ, str(closed))
    assert done.stdout.startswith("1 1 1\nthe study "), done.stderr
    assert [path.name for path in closed.parent.iterdir()] == [closed.name]


def test_a_reader_without_the_right_to_write_sees_what_a_writer_adds(closed):
    closed.parent.chmod(0o755)
    closed.chmod(0o644)
    with Store(closed) as store:
        store.add(row(step=20))
        beside = [*closed.parent.iterdir(), closed.parent]
        for path in beside:
            path.chmod(path.stat().st_mode & ~0o222)
        command = [*unprivileged.prefix(), sys.executable, "-c", READ, str(closed), "twice"]
        reader = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert reader.stdin and reader.stdout
        assert reader.stdout.readline() == "2 1 2\n"
        store.add(row(step=30))
        out, _ = reader.communicate("\n")
        assert out.startswith("3 3\nthe study "), out
    assert reader.returncode == 0


def test_what_a_killed_writer_left_in_the_log_is_read(closed):
    closed.parent.chmod(0o755)
    closed.chmod(0o644)
    with Store(closed) as store:
        store.add(row(step=20))
        log = closed.with_name("cascades.sqlite-wal").read_bytes()
    closed.with_name("cascades.sqlite-wal").write_bytes(log)
    with sqlite3.connect(closed) as check:
        assert check.execute("SELECT count(*) FROM cascades").fetchone() == (2,)
    check.close()
    closed.with_name("cascades.sqlite-wal").write_bytes(log)
    for path in (*closed.parent.iterdir(), closed.parent):
        path.chmod(path.stat().st_mode & ~0o222)
    done = unprivileged.python(READ, str(closed))
    assert done.stdout.startswith("2 1 2\n"), done.stderr


def test_a_file_that_changes_while_it_is_copied_is_copied_again(closed, monkeypatch):
    changed = []
    copy = reading._copy

    def disturbed(path, memory):
        copy(path, memory)
        if not changed:
            changed.append(os.utime(path, (1, 1)))

    monkeypatch.setattr(reading, "_copy", disturbed)
    reading.in_memory(closed).close()
    assert changed == [None]
    monkeypatch.setattr(reading, "_PATIENCE", 0.05)
    monkeypatch.setattr(reading, "_copy", lambda path, _: os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**9)))
    with pytest.raises(sqlite3.OperationalError, match="written all the time"):
        reading.in_memory(closed)


@pytest.mark.parametrize(
    "name", ["file:x", ":memory:", "a b", "50%25", "what?mode=ro", "a#b", "é", "-dash", "file:x?mode=memory"]
)
def test_a_study_may_have_any_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / name
    folder.mkdir()
    path = folder.relative_to(tmp_path) / "cascades.sqlite"
    with Store(path) as store:
        store.add(row())
    assert (folder / "cascades.sqlite").is_file() and glance(path.parent).cascades == 1
    with Store(path) as store:
        assert len(store.cascades()) == 1
    reading.in_memory(path).close()
    reading.connect(path).close()
    assert [found.name for found in tmp_path.iterdir()] == [name]
    assert [found.name for found in folder.iterdir()] == ["cascades.sqlite"]


def test_what_is_no_store_is_said_where_it_cannot_be_written_too(closed):
    closed.parent.chmod(0o755)
    closed.chmod(0o644)
    closed.write_text(json.dumps("not a store") * 100)
    closed.chmod(0o444)
    code = READ.replace(
        "with Store(path)",
        "try:\n    Store(path)\nexcept InputError as error:\n    sys.exit(str(error))\nwith Store(path)",
    )
    done = unprivileged.python(code, str(closed))
    assert "is not a store of cascades" in done.stderr and "Traceback" not in done.stderr
    with pytest.raises(InputError, match="is not a store of cascades"):
        Store(closed)
