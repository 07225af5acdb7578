import json
import subprocess
import sys

import numpy as np
import pytest

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


@pytest.mark.parametrize("damage", [truncate, flip, forget, garble])
def test_damage_is_noticed_and_the_entry_removed(folder, damage):
    cache.store("entry", ARRAYS)
    damage(folder / "entry")
    with pytest.warns(cache.CacheWarning, match="entry is damaged"):
        assert cache.load("entry") is None
    assert cache.load("entry") is None
    cache.store("entry", ARRAYS)
    assert cache.load("entry") is not None


def test_a_cache_that_cannot_be_written_only_warns(folder, monkeypatch):
    (folder / "file").write_text("")
    monkeypatch.setenv("GRADCASCADE_CACHE", str(folder / "file" / "below"))
    with pytest.warns(cache.CacheWarning, match="could not be cached"):
        cache.store("entry", ARRAYS)


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
