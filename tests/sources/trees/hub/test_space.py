import pytest

from gradcascade.errors import InputError
from gradcascade.sources.trees.hub.client import HubClient
from gradcascade.sources.trees.hub.space import Space

A, B = "a" * 40, "b" * 40


@pytest.fixture
def repository(hub):
    hub.repository("someone/model").commit("main", "initial commit", {"x.bin": b"x" * 100, "y.bin": b"y" * 100})
    return HubClient(hub.endpoint).repository("someone/model")


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_files_lie_in_a_folder_of_their_commit_until_others_are_wanted(repository, tmp_path):
    space = Space(tmp_path / "space")
    sha = repository.branches()["main"]
    place = space.fetch(repository, sha, repository.files(sha))
    assert place == space.place(repository, sha) and names(place) == ["x.bin", "y.bin"]
    assert space.place(repository, A) != space.place(repository, B)
    space.keep_only(place, space.place(repository, A))
    assert names(place) == ["x.bin", "y.bin"]
    space.keep_only(space.place(repository, A))
    assert not place.exists()
    space.close()


def test_what_was_broken_off_stays_for_the_next_process(repository, tmp_path):
    space = Space(tmp_path / "space")
    sha = repository.branches()["main"]
    place = space.fetch(repository, sha, repository.files(sha))
    (place / "z.bin.part").write_bytes(b"z")
    space.close()
    assert names(tmp_path / "space" / "passing") == [f"{place.name}/z.bin.part"]


def test_closing_gives_the_folder_to_others(repository, tmp_path):
    from filelock import FileLock, Timeout

    space, other = Space(tmp_path / "space"), FileLock(tmp_path / "space" / ".lock", timeout=0)
    space.claim()
    space.claim()
    with pytest.raises(Timeout):
        other.acquire()
    space.close()
    with other, pytest.raises(InputError, match="wait until it has finished, or measure into another study"):
        space.claim()
    space.claim()
    space.close()


def test_closing_what_was_never_used_does_nothing(tmp_path):
    Space(tmp_path / "space").close()
    assert not (tmp_path / "space").exists()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        Space(tmp_path / "file" / "space").claim()


def test_what_a_file_browser_leaves_is_no_obstacle_and_links_are_not_followed(tmp_path):
    space = Space(tmp_path / "space")
    (tmp_path / "elsewhere").mkdir()
    passing = space.folder / "passing"
    passing.mkdir(parents=True)
    (passing / ".DS_Store").write_text("x")
    (passing / "link").symlink_to(tmp_path / "elsewhere")
    space.keep_only()
    assert list(passing.iterdir()) == [] and (tmp_path / "elsewhere").is_dir()
    space.close()
