import json
import pickle
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from gradcascade.errors import InputError, MissingError, SourceLostError
from gradcascade.sources.trees.base import TreeFile
from gradcascade.sources.trees.hub import HubClient
from gradcascade.sources.trees.hub.retry import RetryPolicy

NAME = "someone/model"
WEIGHTS = bytes(range(256)) * 20_000


@pytest.fixture
def waits():
    return []


@pytest.fixture
def repository(hub, waits):
    remote = hub.repository(NAME)
    remote.commit("main", "initial commit", {".gitattributes": b"*.safetensors filter=lfs\n"})
    for step in range(20):
        remote.commit("main", f"step {step}", {"model.safetensors": WEIGHTS + bytes([step]), "notes/a.txt": b"words"})
    client = HubClient(hub.endpoint, retry=RetryPolicy(sleep=waits.append), timeout=0.5)
    return client.repository(NAME)


def weights(repository) -> tuple[TreeFile, str]:
    sha = repository.branches()["main"]
    return next(file for file in repository.files(sha) if file.name == "model.safetensors"), sha


def test_listings_are_those_that_huggingface_hub_reads(hub, repository):
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    api = HfApi(endpoint=hub.endpoint, token=False)
    refs = api.list_repo_refs(NAME)
    assert repository.branches() == {branch.name: branch.target_commit for branch in refs.branches}
    commits = [(commit.sha, commit.title) for commit in repository.commits("main")]
    assert commits == [(commit.commit_id, commit.title) for commit in api.list_repo_commits(NAME, revision="main")]
    assert (len(commits), commits[0][1], commits[-1][1]) == (21, "step 19", "initial commit")
    for sha in (commits[0][0], commits[-1][0]):
        tree = [item for item in api.list_repo_tree(NAME, revision=sha, recursive=True) if isinstance(item, RepoFile)]
        assert [(f.path, f.size, f.sha256, f.oid) for f in repository.files(sha)] == [
            (item.path, item.size, item.lfs.sha256 if item.lfs else None, item.blob_id) for item in tree
        ]
    assert [file.path for file in repository.files(sha, recursive=False)] == [".gitattributes"]
    assert [file.path for file in repository.files("main", "notes")] == ["notes/a.txt"]


def test_huggingface_hub_downloads_the_same_file(hub, repository, tmp_path, monkeypatch):
    from huggingface_hub import hf_hub_download

    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    file, sha = weights(repository)
    there = hf_hub_download(
        NAME, file.path, revision=sha, endpoint=hub.endpoint, token=False, cache_dir=tmp_path / "theirs"
    )
    ours = repository.fetch(file, sha, tmp_path / "ours" / file.name)
    with open(there, "rb") as theirs:  # noqa: PTH123 - their answer is a string
        assert theirs.read() == ours.read_bytes() == WEIGHTS + bytes([19])


def test_a_small_file_is_checked_against_the_name_that_git_gives_it(repository, tmp_path):
    sha = repository.branches()["main"]
    file = next(file for file in repository.files(sha) if file.name == "a.txt")
    assert file.sha256 is None and repository.fetch(file, sha, tmp_path / "a.txt").read_bytes() == b"words"
    other = TreeFile(file.path, file.size, None, "0" * 40)
    with pytest.raises(InputError, match="downloaded 3 times, and its bytes never were those"):
        repository.fetch(other, sha, tmp_path / "b.txt")


def test_a_file_that_is_there_and_whole_is_not_fetched_again(hub, repository, tmp_path):
    file, sha = weights(repository)
    path = repository.fetch(file, sha, tmp_path / "w")
    repository.fetch(file, sha, tmp_path / "w")
    assert len(hub.asked("resolve")) == 1
    path.write_bytes(b"x" * file.size)  # damaged meanwhile
    assert repository.fetch(file, sha, tmp_path / "w").read_bytes() == WEIGHTS + bytes([19])
    assert len(hub.asked("resolve")) == 2


@pytest.mark.parametrize("kind", ["cut", "pause", "stall", "drop", "500", "502", "503", "408", "403", "404"])
def test_what_goes_wrong_once_or_twice_is_tried_again(hub, repository, waits, tmp_path, kind):
    file, sha = weights(repository)
    hub.fail("/files/", kind, 1 if kind in ("stall", "pause") else 2)
    assert repository.fetch(file, sha, tmp_path / "w").read_bytes() == WEIGHTS + bytes([19])
    assert waits[:1] == [1.0]
    assert [path.name for path in tmp_path.iterdir()] == ["w"]


def test_a_broken_download_continues_where_it_broke_off(hub, repository, tmp_path):
    file, sha = weights(repository)
    hub.fail("/files/", "cut", 3)
    assert repository.fetch(file, sha, tmp_path / "w").read_bytes() == WEIGHTS + bytes([19])
    ranges = [headers.get("range") for _, path, headers in hub.requests if "/files/" in path]
    half = file.size // 2
    assert ranges[:2] == [None, f"bytes={half}-"] and len(ranges) == 4


def test_another_process_continues_a_broken_download(hub, repository, tmp_path):
    file, sha = weights(repository)
    (tmp_path / "w.part").write_bytes(WEIGHTS[:1000])
    assert repository.fetch(file, sha, tmp_path / "w").read_bytes() == WEIGHTS + bytes([19])
    assert hub.requests[-1][2]["range"] == "bytes=1000-"


def test_a_broken_download_of_something_else_is_begun_anew(hub, repository, tmp_path):
    file, sha = weights(repository)
    for begun in (b"x" * 1000, b"x" * (file.size + 1), b"x" * file.size):
        (tmp_path / "w").unlink(missing_ok=True)
        (tmp_path / "w.part").write_bytes(begun)
        assert repository.fetch(file, sha, tmp_path / "w").read_bytes() == WEIGHTS + bytes([19])


def test_wrong_bytes_are_fetched_again_and_never_kept(hub, repository, tmp_path):
    file, sha = weights(repository)
    hub.fail("/files/", "wrong", 2)
    assert repository.fetch(file, sha, tmp_path / "w").read_bytes() == WEIGHTS + bytes([19])
    hub.fail("/files/", "wrong", 3)
    with pytest.raises(InputError, match=r"model.safetensors of someone/model at \w+ was downloaded 3 times"):
        repository.fetch(file, sha, tmp_path / "v")
    assert [path.name for path in tmp_path.iterdir()] == ["w"]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry_After": "7"}, 7.0),
        ({"RateLimit": '"api";r=0;t=55'}, 55.0),
        ({"RateLimit": '"api";r=3;t=55'}, 1.0),
        ({"Retry_After": "Thu, 01 Jan 2015 00:00:00 GMT"}, 0.0),
        ({"Retry_After": "soon"}, 1.0),
        ({}, 1.0),
    ],
)
def test_the_wait_that_the_hub_names_is_obeyed(hub, repository, waits, headers, expected):
    hub.fail("/refs", "429", **headers)
    assert repository.branches()
    assert waits == [expected]


def test_a_wait_of_an_hour_is_left_to_the_user(hub, repository, waits):
    hub.fail("/refs", "429", Retry_After="3600")
    with pytest.raises(SourceLostError, match=r"asks to wait 3600 s .* run the same command again later"):
        repository.branches()
    assert waits == []


def test_waits_double_and_end(hub, repository, waits, tmp_path):
    file, sha = weights(repository)
    hub.fail("/files/", "503", 99)
    with pytest.raises(InputError, match="6 attempts failed, the last because it answered 503") as said:
        repository.fetch(file, sha, tmp_path / "w")
    assert not isinstance(said.value, SourceLostError)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_a_hub_that_gives_nothing_any_more_counts_as_lost(hub, repository, tmp_path):
    steps = [commit.sha for commit in repository.commits("main")][:4]
    files = [next(file for file in repository.files(sha) if file.name == "model.safetensors") for sha in steps]
    hub.fail("/files/", "503", 99)
    for file, sha in zip(files[:2], steps[:2], strict=True):
        for _ in range(2):  # asked for again, it is refused at once
            with pytest.raises(InputError, match="answered 503") as said:
                repository.fetch(file, sha, tmp_path / "w")
            assert not isinstance(said.value, SourceLostError)
    assert len(hub.asked("/files/")) == 2 * 6
    with pytest.raises(SourceLostError, match="continues where it stopped"):
        repository.fetch(files[2], steps[2], tmp_path / "w")


def test_without_a_network_it_fails_at_once(waits):
    import socket

    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
    client = HubClient(endpoint, retry=RetryPolicy(sleep=waits.append))
    with pytest.raises(SourceLostError, match=r"cannot be reached .* or measure a folder of runs on disk"):
        client.repository(NAME).branches()
    assert waits == []


@pytest.mark.parametrize("endpoint", ["huggingface.co", "ftp://huggingface.co", "https:///x", "//mirror"])
def test_an_address_without_a_scheme_is_refused_before_it_is_tried(endpoint):
    with pytest.raises(SourceLostError, match=r"does not begin with https://; correct \$HF_ENDPOINT"):
        HubClient(endpoint)


def test_offline_mode_is_named(repository, waits, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(SourceLostError, match="unset HF_HUB_OFFLINE"):
        repository.branches()
    assert waits == []


def test_what_does_not_exist_is_told_apart(hub, repository, tmp_path):
    _, sha = weights(repository)
    with pytest.raises(SourceLostError, match="does not exist, or needs rights that you get with `hf auth login`"):
        repository.client.repository("someone/else").branches()
    with pytest.raises(MissingError, match="does not have this revision"):
        repository.files("0" * 40)
    with pytest.raises(MissingError, match="does not have this file"):
        repository.fetch(TreeFile("other.bin", 5, None, None), sha, tmp_path / "w")
    with pytest.raises(InputError, match="is not a repository"):
        repository.client.repository("../secrets")
    with pytest.raises(InputError, match="nothing was downloaded"):
        repository.fetch(TreeFile("a/..", 5, None, None), sha, tmp_path / "w")


def test_the_token_is_sent_to_the_hub_alone_and_told_to_nobody(hub, repository, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    file, sha = weights(repository)
    repository.fetch(file, sha, tmp_path / "w")
    sent = {("/files/" in path, headers.get("authorization")) for _, path, headers in hub.requests}
    assert sent == {(False, "Bearer hf_secret"), (True, None)}
    hub.fail("/refs", "401")
    with pytest.raises(SourceLostError) as said:
        repository.branches()
    assert "secret" not in repr(said.value) and said.value.__cause__ is None


@pytest.mark.parametrize("token", ["hf_s\u00e9cret", "hf_\u200bsecret", "hf_sec\x01ret"])
def test_a_token_that_cannot_be_one_is_named_and_not_shown(hub, repository, monkeypatch, token):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(SourceLostError, match=r"token .* not allowed in a token; log in again") as said:
        repository.branches()
    assert "cret" not in repr(said.value)


def test_pages_that_go_in_a_circle_end(hub, repository, monkeypatch):
    def circle(self, items, query):
        link = f'<{hub.endpoint}{urlsplit(self.path).path}?cursor=7>; rel="next"'
        self.reply(200, json.dumps(items[:7]).encode(), {"Link": link})

    monkeypatch.setattr("imitation._Hub.paged", circle)
    with pytest.raises(
        SourceLostError, match=r"does not answer the list of commits of .* as a Hugging Face hub does"
    ):
        repository.commits("main")
    assert len(hub.asked("/commits/")) == 2


@pytest.mark.parametrize("limit", ["MAX_ANSWER", "MAX_PAGES"])
def test_an_answer_without_an_end_is_refused(hub, repository, monkeypatch, limit):
    from gradcascade.sources.trees.hub import session

    hub.page = 2
    monkeypatch.setattr(session, limit, {"MAX_ANSWER": 50, "MAX_PAGES": 3}[limit])
    with pytest.raises(SourceLostError, match="as a Hugging Face hub does"):
        repository.commits("main")
    assert len(hub.asked("/commits/")) == {"MAX_ANSWER": 1, "MAX_PAGES": 3}[limit]


def test_pages_are_asked_of_the_hub_alone_whatever_the_link_says(hub, repository):
    hub.page, hub.endpoint = 2, "http://127.0.0.1:9"
    assert len(repository.commits("main")) == 21


def test_no_room_is_said_before_anything_is_fetched(hub, repository, tmp_path, monkeypatch):
    file, sha = weights(repository)
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=file.size - 1))
    with pytest.raises(SourceLostError, match=r"no room for the 5 MB of model\.safetensors in .*; free some"):
        repository.fetch(file, sha, tmp_path / "w")
    assert hub.asked("/resolve/") == []


def test_something_else_than_a_hub_is_recognised(hub, repository):
    hub.repositories[NAME].branches["main"][-1].sha = "no sha"
    with pytest.raises(SourceLostError, match=r"as a Hugging Face hub does; check \$HF_ENDPOINT"):
        repository.branches()


def test_a_client_can_be_pickled(hub):
    client = HubClient(hub.endpoint)
    again = pickle.loads(pickle.dumps(client.repository(NAME)))  # noqa: S301 - our own bytes
    assert (again.client.endpoint, again.name) == (hub.endpoint, NAME)


def test_progress_is_told(hub, repository, tmp_path):
    told = []
    repository.client.watch = lambda name, done, total: told.append((name, done, total))
    file, sha = weights(repository)
    repository.fetch(file, sha, tmp_path / "w")
    assert told[-1] == (f"{NAME} model.safetensors", file.size, file.size)
