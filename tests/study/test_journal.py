"""Stores on network file systems: which they are, one writer, a lock that outlives nobody, and nothing lost."""

import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys

import pytest
from dying_writer import write_and_die
from stored_rows import row

from gradcascade.errors import InputError
from gradcascade.study import journal
from gradcascade.study.journal import JournalWarning, Lock, file_system_of, is_network, lock_of, rolls_back
from gradcascade.study.store import Store

MOUNTS = """\
21 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 21 0:30 / /scratch rw shared:2 - lustre mgs:/scratch rw
31 21 0:31 / /home rw - nfs4 server:/home rw
32 31 254:2 / /home/local rw - xfs /dev/vdb rw
33 21 0:33 / /with\\040space rw - fuse.sshfs host: rw
34 21 0:34 / /over rw - nfs server:/over rw
35 34 0:35 / /over rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        ("/", "ext4", False),
        ("/scratch/me/study/cascades.sqlite", "lustre", True),
        ("/scratches/me", "ext4", False),
        ("/home/me", "nfs4", True),
        ("/home/local/me", "xfs", False),
        ("/with space/study", "fuse.sshfs", True),
        ("/over/study", "tmpfs", False),
    ],
)
def test_the_file_system_is_found_in_the_table_of_mounts(tmp_path, path, kind, network):
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS)
    found = file_system_of(journal.Path(path), table)
    assert found == kind and is_network(found) == network


def test_without_a_table_of_mounts_nothing_is_claimed(tmp_path):
    assert file_system_of(tmp_path, tmp_path / "none") == "" and not is_network("")


def test_what_is_mounted_decides_and_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "file_system_of", lambda path: "lustre")
    assert rolls_back(tmp_path / "cascades.sqlite", "auto") == (True, "lustre")
    assert rolls_back(tmp_path / "cascades.sqlite", "wal") == (False, "")
    store = Store(tmp_path / "cascades.sqlite")
    with store, pytest.warns(JournalWarning, match=r"is on lustre, where SQLite's write-ahead log is not safe"):
        store.add(row())
    with pytest.raises(InputError, match="'walrus' is unknown; choose from auto, wal, rollback"):
        rolls_back(tmp_path / "cascades.sqlite", "walrus")


def test_a_store_that_was_made_so_stays_so_and_has_no_log_beside_it(tmp_path):
    path = tmp_path / "cascades.sqlite"
    with Store(path, journal="rollback") as store:
        store.add(row())
        assert sorted(file.name for file in tmp_path.iterdir()) == [
            "cascades.sqlite", "cascades.sqlite-journal", "cascades.sqlite.lock"
        ]  # fmt: skip
    with Store(path) as store:  # the file says how it is written
        store.add(row(step=20))
        assert store._rows("PRAGMA journal_mode") == [("truncate",)] and len(store.keys()) == 2
    assert not lock_of(path).exists()
    with Store(path, journal="wal") as store:
        store.add(row(step=30))
        assert store._rows("PRAGMA journal_mode") == [("wal",)]
    with Store(path, journal="rollback") as store:  # and a log from before is taken up
        store.add(row(step=40))
        assert len(store.keys()) == 4


def test_readers_see_what_is_stored_while_it_is_written_and_a_second_writer_is_refused(tmp_path):
    path = tmp_path / "cascades.sqlite"
    with Store(path, journal="rollback") as store:
        store.add(row())
        with Store(path) as reader:
            assert len(reader.cascades()) == 1
            with pytest.raises(InputError, match=rf"is being written by process {os.getpid()} on .*--shard"):
                reader.add(row(step=20))
        with Store(path, read_only=True) as reader:
            store.add(row(step=20))
            assert len(reader.cascades()) == 1
            with pytest.raises(InputError, match="can be read but not written"):
                reader.add(row(step=30))
        with pytest.raises(InputError, match="is being written by process"):
            Store(path, journal="wal")
    with Store(path) as store:
        assert len(store.keys()) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
@pytest.mark.parametrize("half", [False, True])
def test_the_lock_of_a_writer_that_was_killed_is_taken_over_at_once_and_nothing_is_lost(tmp_path, half):
    path = tmp_path / "cascades.sqlite"
    process = multiprocessing.get_context("spawn").Process(target=write_and_die, args=(path, half))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL and lock_of(path).exists()
    if half:
        assert path.with_name("cascades.sqlite-journal").stat().st_size > 0
    with Store(path, read_only=True) as reader:
        assert reader.cascades()["source"].to_list() == ["here"] * 3
    with Store(path) as store:
        store.add(row(step=9))
        assert store.cascades()["step"].to_list() == [0, 1, 2, 9]
        assert store.cascades()["source"].to_list() == ["here"] * 4
    assert [file.name for file in tmp_path.iterdir() if ".writing-" in file.name] == []


def elsewhere(path, **changes):
    """A lock of another machine."""
    lock = {"token": "other", "host": "node7", "pid": 12, "place": "node7 1 2", "started": "3", **changes}
    lock_of(path).write_text(json.dumps(lock))


def test_a_lock_of_another_machine_is_watched_and_taken_over_only_without_a_sign_of_life(tmp_path):
    path = tmp_path / "cascades.sqlite"
    waits = []

    def beat(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            os.utime(lock_of(path), (1, 1))  # its clock may be set back: any change counts

    elsewhere(path)
    with pytest.raises(InputError, match="is being written by process 12 on node7"):
        Lock(path, beat).take()
    assert len(waits) == 3
    silent = []
    lock = Lock(path, silent.append)
    lock.take()
    assert sum(silent) == journal.PATIENCE
    lock.check()
    lock.release()
    assert not lock_of(path).exists()


def test_a_writer_whose_lock_was_taken_over_writes_nothing_more(tmp_path):
    path = tmp_path / "cascades.sqlite"
    with Store(path, journal="rollback") as store:
        store.add(row())
        elsewhere(path)
        with pytest.raises(InputError, match=r"another process took .* over"):
            store.add(row(step=20))
    assert lock_of(path).exists()  # it is the other's
    lock_of(path).unlink()
    with Store(path) as store:
        assert len(store.keys()) == 1


@pytest.mark.parametrize("mode", ["wal", "rollback"])
def test_a_file_system_that_is_full_is_said_and_loses_nothing(tmp_path, mode):
    """In a process whose files may only grow to a limit, which the system reports as it reports a full quota."""
    path = tmp_path / "cascades.sqlite"
    script = f"""
import resource, signal, sys
from pathlib import Path
sys.path[:0] = {sys.path!r}
from dying_writer import write_and_die
from stored_rows import row
from gradcascade.errors import InputError
from gradcascade.study.store import Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Store(Path({str(path)!r}), journal={mode!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
added = 0
try:
    for step in range(1000):
        store.add(row(step=step, activity=list(range(1000))))
        added += 1
except InputError as error:
    print(added, error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    added, _, said = done.stdout.strip().partition(" ")
    assert "could not be read or written (File too large)" in said and "everything measured so far is kept" in said
    with Store(path) as store:
        assert store.cascades()["step"].to_list() == list(range(int(added))) and int(added) > 1
        store.add(row(step=5000))


def test_a_file_server_that_fails_is_said_with_its_reason(tmp_path, monkeypatch):
    path = tmp_path / "cascades.sqlite"

    class Failing:
        def __getattr__(self, name):
            return getattr(connection, name)

        def execute(self, *_):
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
            raise error

    with Store(path) as store:
        store.add(row())
        connection = store._connection
        with monkeypatch.context() as patch:
            patch.setattr(store, "_connection", Failing())
            patch.setattr("gradcascade.study.store.why_not_written", lambda folder: "Stale file handle")
            with pytest.raises(InputError, match=r"\(Stale file handle\); see to its disk, quota or file server"):
                store.add(row(step=20))
        assert len(store.cascades()) == 1
