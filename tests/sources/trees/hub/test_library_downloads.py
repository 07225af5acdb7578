"""What the download of huggingface_hub does where this project's own transfer is asked for more.

Each test shows one reason for that transfer, beside the test of test_client.py that holds it to the same; when one of
them fails with a newer huggingface_hub, that reason is gone.
"""

import time

import pytest
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError

NAME = "someone/model"
WEIGHTS = bytes(range(256)) * 20_000


@pytest.fixture
def waits(monkeypatch):
    """How long it waits, without waiting."""
    found = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


@pytest.fixture
def download(hub, waits, monkeypatch, tmp_path):
    """Download the one file into a folder, whose path is given."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_PROGRESS_BARS", True)
    sha = hub.repository(NAME).commit("main", "add", {"model.safetensors": WEIGHTS})
    place = {
        "endpoint": hub.endpoint,
        "token": False,
        "local_dir": tmp_path / "files",
        "cache_dir": tmp_path / "cache",
    }
    return lambda: hf_hub_download(NAME, "model.safetensors", revision=sha, **place)


def test_what_has_arrived_is_removed_when_a_download_fails(hub, download, tmp_path):
    hub.fail("/files/", "cut")
    hub.fail("/files/", "503")
    with pytest.raises(HfHubHTTPError):
        download()
    assert not [path for path in (tmp_path / "files").rglob("*") if path.is_file() and path.stat().st_size > 1000]
    download()
    assert [headers.get("range") for _, path, headers in hub.requests if "/files/" in path][-1] is None  # anew


def test_bytes_that_are_not_those_listed_are_handed_over(hub, download):
    hub.fail("/files/", "wrong")
    with open(download(), "rb") as found:  # noqa: PTH123 - its answer is a string
        assert found.read() != WEIGHTS


def test_a_server_that_is_busy_for_a_moment_ends_the_download(hub, download, waits):
    hub.fail("/files/", "503")
    with pytest.raises(HfHubHTTPError):
        download()
    assert waits == []


def test_an_hour_is_waited_without_a_word(hub, download, waits):
    hub.fail("/files/", "429", Retry_After="3600")
    download()
    assert max(waits) >= 3600
