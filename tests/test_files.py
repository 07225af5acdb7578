from pathlib import Path

import pytest
import torch

from gradcascade.errors import InputError
from gradcascade.files import staged, sweep, write_whole

FULL = Path("/dev/full")
"""A device of Linux that takes nothing, as a disk without room does."""


def test_the_file_appears_whole_and_nothing_else_stays(tmp_path):
    path = tmp_path / "a" / "b.txt"
    with staged(path, tmp_path) as target:
        target.write_text("new")
        assert target.name == "b.txt"
        assert not path.exists()
    assert path.read_text() == "new"
    assert {p.name for p in tmp_path.iterdir()} == {"a"}


def test_a_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "b.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), staged(path, tmp_path) as target:
        target.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["b.txt"]


@pytest.mark.skipif(not FULL.exists(), reason=f"there is no {FULL} here")
@pytest.mark.parametrize(
    "write",
    [
        lambda target: target.write_bytes(b"x" * 20_000),
        lambda target: torch.save({"x": torch.zeros(20_000)}, target),
    ],
    ids=["bytes", "torch"],
)
def test_a_disk_without_room_is_reported_in_one_sentence(tmp_path, write):
    refused = pytest.raises(InputError, match=r"could not be written .*free some disk space")
    with refused as caught, staged(tmp_path / "b.pt", tmp_path) as target:
        target.symlink_to(FULL)
        write(target)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"), staged(tmp_path / "file" / "x", tmp_path):
        pass


def test_what_a_killed_process_left_is_swept_away(tmp_path):
    (tmp_path / ".writing-abc").mkdir()
    (tmp_path / ".writing-abc" / "half").write_text("x")
    (tmp_path / "checkpoints").mkdir()
    sweep(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoints"]


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "plan.toml"
    for text in ("first\n", "ζ second\n"):
        write_whole(path, text)
        assert path.read_text(encoding="utf-8") == text
        assert [file.name for file in tmp_path.iterdir()] == ["plan.toml"]


def test_a_failure_leaves_the_earlier_file(tmp_path):
    path = tmp_path / "plan.toml"
    write_whole(path, "first\n")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "\ud800")  # no letter, so it cannot be written
    assert path.read_text(encoding="utf-8") == "first\n"
    assert [file.name for file in tmp_path.iterdir()] == ["plan.toml"]
