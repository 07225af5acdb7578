"""Broken and hostile files: one clear sentence each, and nothing in them is executed."""

import contextlib
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hostile_files import CASES, GOOD, MARKER, entry, npy, npy_header, pt, st
from sample_files import write_npy, write_safetensors, write_zip

from gradcascade.errors import InputError
from gradcascade.sources import read_field, read_tensors


@pytest.mark.parametrize("case", CASES)
def test_one_sentence_and_nothing_executed(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    suffix, write, message = CASES[case]
    path = tmp_path / f"file{suffix}"
    write(path)
    with pytest.raises(InputError, match=message) as caught:
        read_field(path)
    sentence = str(caught.value)
    assert sentence.startswith(str(path))
    assert len(sentence) < len(str(path)) + 320
    assert "\n" not in sentence
    assert not (tmp_path / MARKER).exists()


def test_the_hand_made_files_are_good_where_nothing_is_changed(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.pt", GOOD)
    np.testing.assert_array_equal(read_field(tmp_path / "a.pt"), [1, 2, 3, 4])
    write_safetensors(tmp_path / "a.safetensors", {"a": entry(), "__metadata__": {"format": "pt"}})
    np.testing.assert_array_equal(read_field(tmp_path / "a.safetensors"), np.zeros(4))
    write_npy(tmp_path / "a.npy", npy_header())
    np.testing.assert_array_equal(read_field(tmp_path / "a.npy"), np.zeros(4))


def test_not_a_number_is_read_as_it_is(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.pt", GOOD, {"data/0": struct.pack("<4f", 1, float("nan"), float("inf"), 4)})
    np.testing.assert_array_equal(read_field(tmp_path / "a.pt"), [1, np.nan, np.inf, 4])


def test_places_that_are_not_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pt")
    (tmp_path / "loop.pt").symlink_to("loop.pt")
    for name, message in {
        "missing.npy": "does not exist",
        ".": "is a folder",
        "pipe.pt": "is a pipe or a device",
        "loop.pt": "cannot be read",
        "a\0b.pt": "cannot be opened",
        "x" * 300 + ".pt": "cannot be read",
    }.items():
        with pytest.raises(InputError, match=message):
            read_field(tmp_path / name)


SEEDS = {
    ".pt": pt(GOOD),
    ".safetensors": st({"a": entry(), "b": entry("F16", [0], [16, 16])}),
    ".npy": npy(npy_header()),
}


@pytest.mark.parametrize("suffix", SEEDS)
def test_random_damage_is_read_or_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"file{suffix}"
    SEEDS[suffix](path)
    good = path.read_bytes()
    rng = np.random.default_rng(5)
    interesting = [0, 1, 0x7F, 0x80, 0xFF]
    for _ in range(400):
        data = bytearray(good)
        for place in rng.integers(len(data), size=rng.integers(1, 6)):
            data[place] = rng.choice(interesting) if rng.random() < 0.5 else rng.integers(256)
        if rng.random() < 0.2:
            del data[rng.integers(len(data)) :]
        path.write_bytes(data)
        with contextlib.suppress(InputError):
            assert sum(values.nbytes for values in read_tensors(path).values()) <= 4 * len(good)
