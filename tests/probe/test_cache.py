import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from gradcascade import scratch
from gradcascade.errors import InputError
from gradcascade.probe import cache

ARRAYS = {"a": np.arange(1000, dtype=np.int32), "b": np.linspace(0, 1, 77)}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADCASCADE_CACHE", str(tmp_path))
    return tmp_path


def test_what_is_stored_is_loaded(folder):
    assert cache.load("entry") is None
    cache.store("entry", ARRAYS)
    loaded = cache.load("entry")
    assert loaded is not None
    for name, array in ARRAYS.items():
        assert np.array_equal(loaded[name], array)
    assert [path.name for path in folder.iterdir()] == ["entry"]


def truncate(entry):
    path = entry / "a.npy"
    path.write_bytes(path.read_bytes()[:-100])


def flip(entry):
    path = entry / "b.npy"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


def forget(entry):
    (entry / "a.npy").unlink()


def garble(entry):
    (entry / "manifest.json").write_text("{")


def empty(entry):
    (entry / "manifest.json").write_text("{}")


def list_nothing(entry):
    (entry / "manifest.json").write_text("null")


def rewrite(entry, before, after):
    data = (entry / "a.npy").read_bytes()
    assert data.count(before) == 1
    (entry / "a.npy").write_bytes(data.replace(before, after))


def open_quote(entry):
    rewrite(entry, b"'descr'", b"'descr#")


def unbalance(entry):
    rewrite(entry, b", }", b", (")


def turn_bytes(entry):
    rewrite(entry, b"'<i4'", b"'>i4'")


@pytest.mark.parametrize(
    "damage", [truncate, flip, forget, garble, empty, list_nothing, open_quote, unbalance, turn_bytes]
)
def test_damage_is_noticed_and_the_entry_removed(folder, damage):
    cache.store("entry", ARRAYS)
    damage(folder / "entry")
    with pytest.warns(cache.CacheWarning, match="entry is damaged"):
        assert cache.load("entry") is None
    assert cache.load("entry") is None
    cache.store("entry", ARRAYS)
    assert cache.load("entry") is not None


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A temporary folder of the system that is empty."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    for kept in (scratch.temporary, cache._say_other_folder):
        kept.cache_clear()
    yield tmp_path / "temporary"
    for kept in (scratch.temporary, cache._say_other_folder):
        kept.cache_clear()


def test_a_cache_that_cannot_be_written_is_kept_in_a_temporary_folder(folder, monkeypatch, temporary):
    (folder / "file").write_text("")
    monkeypatch.setenv("GRADCASCADE_CACHE", str(folder / "file" / "below"))
    with pytest.warns(cache.CacheWarning, match="set GRADCASCADE_CACHE to a folder that can be") as said:
        cache.store("entry", ARRAYS)
        cache.store("other", ARRAYS)
    assert len(said) == 1 and str(temporary) in str(said[0].message)
    kept = cache.load("entry")
    assert kept is not None and all(np.array_equal(kept[name], array) for name, array in ARRAYS.items())
    assert not (folder / "entry").exists()


def test_a_user_without_a_home_has_a_cache(monkeypatch, temporary):
    monkeypatch.delenv("GRADCASCADE_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(cache, "home", lambda: None)
    with pytest.warns(cache.CacheWarning, match="the home folder of this user cannot be written"):
        assert temporary in cache.cache_folder().parents


def test_without_any_folder_to_write_a_cache_only_warns(folder, monkeypatch, temporary):
    (folder / "file").write_text("")
    monkeypatch.setenv("GRADCASCADE_CACHE", str(folder / "file" / "below"))
    monkeypatch.setattr("tempfile.tempdir", str(folder / "file" / "below"))
    with pytest.warns(cache.CacheWarning, match="could not be cached"):
        cache.store("entry", ARRAYS)
    assert cache.load("entry") is None


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs the permissions of POSIX")
def test_a_cache_below_a_closed_folder_only_warns(folder):
    # Such as the home of another user. The superuser may enter every folder, so the test becomes somebody else.
    (folder / "closed").mkdir(mode=0o000)
    code = f"""
import os
from pathlib import Path
from gradcascade.probe import cache
import numpy as np
import warnings
os.environ["GRADCASCADE_CACHE"] = {str(folder / "closed" / "cache")!r}
cache.checksum(np.ones(3))
if os.geteuid() == 0:
    os.seteuid(65534)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    assert cache.load("entry") is None
    assert not caught, caught[0].message
    cache.store("entry", {{"a": np.ones(3)}})
print(*(str(each.message) for each in caught), sep="\\n")
"""
    for path in (folder, *folder.parents[:2]):
        path.chmod(0o755)
    # Not below the test's own folder, which another user may not enter: what an earlier test left would be found.
    with tempfile.TemporaryDirectory() as temporary:
        Path(temporary).chmod(0o777)
        env = {**os.environ, "TMPDIR": temporary}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    (folder / "closed").chmod(0o700)
    assert done.returncode == 0, done.stderr
    assert "graphs are kept in" in done.stdout and done.stdout.count("\n") == 1


def test_an_entry_that_is_there_already_stays(folder):
    cache.store("entry", ARRAYS)
    before = (folder / "entry" / "manifest.json").stat().st_ino
    cache.store("entry", ARRAYS)
    assert (folder / "entry" / "manifest.json").stat().st_ino == before
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float64])
def test_the_checksum_sees_every_byte(dtype):
    array = np.arange(37).astype(dtype)
    base = cache.checksum(array)
    data = array.tobytes()
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 0x10
        assert cache.checksum(np.frombuffer(bytes(changed), dtype)) != base
    assert cache.checksum(array[:-1]) != base
    assert cache.checksum(array) == base


def size_of(folder, name):
    return sum(path.stat().st_size for path in (folder / name).iterdir())


def age(path, seconds):
    for file in [*path.iterdir(), path]:
        os.utime(file, (time.time() - seconds,) * 2)


def test_the_least_recently_used_entries_make_room(folder, monkeypatch):
    for place, name in enumerate(["first", "second", "third"]):
        cache.store(name, ARRAYS)
        age(folder / name, 1000 - 100 * place)
    assert [entry.path.name for entry in cache.entries()] == ["third", "second", "first"]
    cache.load("first")
    assert [entry.path.name for entry in cache.entries()] == ["first", "third", "second"]
    monkeypatch.setenv("GRADCASCADE_CACHE_LIMIT", str(2.5 * size_of(folder, "first") / 1e9))
    cache.store("fourth", ARRAYS)
    assert sorted(path.name for path in folder.iterdir()) == ["first", "fourth"]
    assert [entry.size for entry in cache.entries()] == [size_of(folder, "first")] * 2


def test_an_entry_larger_than_the_limit_is_not_kept_and_displaces_nothing(folder, monkeypatch):
    cache.store("small", {"a": np.ones(3)})
    monkeypatch.setenv("GRADCASCADE_CACHE_LIMIT", "1e-6")
    with pytest.warns(cache.CacheWarning, match="raise GRADCASCADE_CACHE_LIMIT"):
        cache.store("large", ARRAYS)
    assert [path.name for path in folder.iterdir()] == ["small"]


@pytest.mark.parametrize("text", ["much", "-1", "nan", "inf"])
def test_a_limit_that_is_no_number_is_refused(monkeypatch, text):
    monkeypatch.setenv("GRADCASCADE_CACHE_LIMIT", text)
    with pytest.raises(InputError, match="GRADCASCADE_CACHE_LIMIT"):
        cache.limit()


def test_the_limit_is_counted_in_gigabytes(monkeypatch):
    monkeypatch.delenv("GRADCASCADE_CACHE_LIMIT", raising=False)
    assert cache.limit() == 20_000_000_000
    monkeypatch.setenv("GRADCASCADE_CACHE_LIMIT", "0.5")
    assert cache.limit() == 500_000_000


def leave_scratch(folder, name, seconds):
    (folder / name).mkdir()
    (folder / name / "a.npy").write_bytes(b"half of it")
    age(folder / name, seconds)


@pytest.mark.parametrize("tidy", [cache.clear, lambda: cache.store("entry", ARRAYS)])
def test_what_killed_builders_left_goes_after_a_day(folder, tidy):
    leave_scratch(folder, ".graph-v1-abcd_123", 25 * 3600)
    leave_scratch(folder, ".graph-v1-efgh4567", 23 * 3600)
    tidy()
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == [".graph-v1-efgh4567"]


def test_clearing_touches_nothing_but_entries(folder):
    cache.store("entry", ARRAYS)
    (folder / "thesis.txt").write_text("precious")
    (folder / "site").mkdir()
    (folder / "site" / "manifest.json").write_text("{}")
    (folder / "site" / "index.html").write_text("precious")
    (folder / ".dotfiles-abcdefgh").mkdir()
    (folder / ".dotfiles-abcdefgh" / "settings").write_text("precious")
    age(folder / ".dotfiles-abcdefgh", 1e6)
    assert [entry.path.name for entry in cache.clear()] == ["entry"]
    assert sorted(path.name for path in folder.iterdir()) == [".dotfiles-abcdefgh", "site", "thesis.txt"]


def test_an_entry_in_use_can_be_removed(folder):
    cache.store("entry", ARRAYS)
    loaded = cache.load("entry")
    cache.clear()
    assert loaded is not None and np.array_equal(loaded["a"], ARRAYS["a"])


@pytest.mark.parametrize("moment", ["np.save", "cache.checksum", "Path.rename"])
def test_a_builder_killed_while_storing_leaves_a_cache_that_works(folder, moment):
    # The process stops for good at its second call of the named function and is killed there.
    owner, name = moment.split(".")
    code = f"""
import sys, time
from pathlib import Path
import numpy as np
from gradcascade.probe import cache
calls = []
original = {moment}
def stop(*arguments):
    calls.append(1)
    if len(calls) == {1 if name == "rename" else 2}:
        print("storing", flush=True)
        time.sleep(600)
    return original(*arguments)
{owner}.{name} = stop
cache.store("entry", {{"a": np.arange(1000, dtype=np.int32), "b": np.linspace(0, 1, 77)}})
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as builder:
        assert builder.stdout is not None and builder.stdout.readline() == "storing\n"
        builder.send_signal(signal.SIGKILL)
    assert len(list(folder.iterdir())) == 1  # its scratch folder
    assert cache.load("entry") is None
    assert cache.entries() == []
    cache.store("entry", ARRAYS)
    loaded = cache.load("entry")
    assert loaded is not None and np.array_equal(loaded["b"], ARRAYS["b"])


def test_two_processes_can_build_the_same_graph_at_once(folder):
    code = (
        "from gradcascade.probe.graph import GraphSpec, load_graph;"
        "print(int(load_graph(GraphSpec('barabasi-albert', 200_000, 2, 42)).neighbours.sum()))"
    )
    runs = [subprocess.Popen([sys.executable, "-W", "error", "-c", code], stdout=subprocess.PIPE) for _ in range(2)]
    sums = {run.communicate(timeout=120)[0] for run in runs}
    assert [run.returncode for run in runs] == [0, 0]
    assert len(sums) == 1
    (entry,) = folder.iterdir()
    assert set(json.loads((entry / "manifest.json").read_text())) == {"offsets", "neighbours"}
