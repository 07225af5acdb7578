"""Disks that are full or fail, quotas, file servers that are gone: said in a sentence, and nothing lost."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import failing_files
import pytest
import store_on_failing_disk

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or failing_files.compiler() is None, reason="files fail by a library for Linux, in C"
)
SAID = {
    "ENOSPC": "no room left",
    "EDQUOT": "quota exceeded",
    "EIO": "Input/output error",
    "ESTALE": "Stale file handle",
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    library = failing_files.compiled(tmp_path_factory.mktemp("library"))
    return {**failing_files.environment(library), "PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.mark.parametrize("journal", ["wal", "rollback"])
def test_a_store_whose_disk_fails_anywhere_keeps_what_it_acknowledged_and_goes_on(tmp_path, environment, journal):
    command = [sys.executable, store_on_failing_disk.__file__, str(tmp_path), journal, "5"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert list(found) == list(failing_files.FAILURES)
    for kind, result in found.items():
        assert (result["lost"], result["doubled"], result["incomplete"]) == ([], [], [])
        assert result["failed"] > 9 and result["cut"] > 2  # before, between and after commits
        assert all(
            "everything measured" in said or "cascades.sqlite.lock cannot be written" in said
            for said in result["said"]
        )
        assert any(SAID[kind] in said for said in result["said"])


def test_a_damaged_store_is_not_taken_for_a_disk_that_fails_nor_the_other_way_round(tmp_path, environment):
    """A disk that cannot read looks damaged to SQLite, and nobody is to throw a study away for that."""
    script = """
import sys
from pathlib import Path
import failing_files
from stored_rows import row
from gradcascade.study.store import Store
path = Path(sys.argv[1])
with Store(path, journal="rollback") as store:
    store.add(row())
for after in range(12):
    failing_files.fail(path.parent, "EIO", after)
    try:
        Store(path, journal="wal").close()
    except ValueError as error:
        print(str(error).partition("(")[2].partition(")")[0])
    failing_files.heal()
path.write_bytes(path.read_bytes()[:5000])
try:
    Store(path, journal="wal").cascades()
except ValueError as error:
    print(error)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "cascades.sqlite")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    *failing, damaged = done.stdout.splitlines()
    assert set(failing) == {"Input/output error"} and len(failing) > 4
    assert damaged.endswith("restore it from a copy, or move it away")


def test_the_command_says_which_kind_of_trouble_a_file_is_in(monkeypatch, capsys):
    from gradcascade.cli import main

    for number, words in ((errno.EDQUOT, "free some space"), (errno.ESTALE, "see to its disk or file server")):

        def fail(number=number):
            raise OSError(number, os.strerror(number), str(Path("study") / "contents.json"))

        monkeypatch.setattr(main, "app", fail)
        with pytest.raises(SystemExit) as ended:
            main.main()
        said = capsys.readouterr().err
        assert ended.value.code == 2 and words in said and "contents.json" in said
