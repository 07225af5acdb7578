import os

import pytest

from gradcascade import scratch

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs the permissions of POSIX")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    scratch.temporary.cache_clear()
    yield tmp_path
    scratch.temporary.cache_clear()


def test_the_temporary_folder_is_the_users_own_and_the_same_next_time(folder):
    found = scratch.temporary("numba")
    assert found is not None and found == folder / f"gradcascade-{os.geteuid()}" / "numba"
    assert found.stat().st_mode & 0o777 == found.parent.stat().st_mode & 0o777 == 0o700
    scratch.temporary.cache_clear()
    assert scratch.temporary("numba") == found


@pytest.mark.parametrize("kind", ["open to all", "a link", "a file"])
def test_a_folder_that_others_could_have_made_is_not_taken(folder, kind):
    usual = folder / f"gradcascade-{os.geteuid()}"
    if kind == "open to all":
        usual.mkdir()
        usual.chmod(0o777)
    elif kind == "a link":
        (folder / "theirs").mkdir(mode=0o700)
        usual.symlink_to(folder / "theirs")
    else:
        usual.write_text("")
    found = scratch.temporary("numba")
    assert found is not None and found.is_dir() and usual not in found.parents
    assert not (folder / "theirs" / "numba").exists()


def test_without_any_temporary_folder_there_is_none(folder, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(folder / "file" / "below"))
    (folder / "file").write_text("")
    assert scratch.temporary("numba") is None


def test_a_folder_can_be_written_if_it_can_be_made(folder):
    (folder / "file").write_text("")
    assert scratch.can_write(folder) and scratch.can_write(folder / "a" / "b")
    assert not scratch.can_write(folder / "file") and not scratch.can_write(folder / "file" / "below")
