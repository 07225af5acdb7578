"""Repositories on the hub: branches, commits, files with their hashes, and the bytes of one file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gradcascade.errors import InputError, SourceLostError
from gradcascade.sources.stored import shown
from gradcascade.sources.trees.base import TreeFile
from gradcascade.sources.trees.hub.download import Download
from gradcascade.sources.trees.hub.session import Session, as_hub, read_json

_NAME = re.compile(r"(?:datasets/)?[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_SHA = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Commit:
    """One commit of a branch."""

    sha: str
    title: str


class HubClient(Session):
    """A session with a hub, of whose repositories it tells."""

    def repository(self, name: str) -> Repository:
        """A repository of models, ``owner/name``, or of a data set, ``datasets/owner/name``."""
        if not _NAME.fullmatch(name) or ".." in name:
            raise InputError(f"{shown(name)} is not a repository; name one like EleutherAI/pythia-70m")
        return Repository(self, name)


@dataclass(frozen=True)
class Repository:
    """One repository of models or data on the hub; its methods raise as :meth:`Session.get`."""

    client: HubClient = field(repr=False)
    name: str
    """``owner/name``, of a data set ``datasets/owner/name``, as in addresses of files."""

    @property
    def _api(self) -> str:
        return self.name if self.name.startswith("datasets/") else f"models/{self.name}"

    def branches(self) -> dict[str, str]:
        """Commits that the branches end in, by the branches' names."""
        what = f"the list of branches of {self.name}"
        answer = self.client.get(f"{self.client.endpoint}/api/{self._api}/refs", what, read_json)
        with as_hub(self.client.endpoint, what):
            return {item["name"]: _sha(item["targetCommit"]) for item in answer["branches"]}

    def commits(self, revision: str) -> list[Commit]:
        """Commits of a branch, the newest first."""
        what = f"the list of commits of {self.name} at {revision}"
        with as_hub(self.client.endpoint, what):
            items = self.client.listing(f"{self._api}/commits/{quote(revision, safe='')}", what)
            return [Commit(_sha(item["id"]), str(item["title"])) for item in items]

    def known_files(self, revision: str, folder: str = "") -> list[TreeFile] | None:
        """All files of a commit, or of a folder around the one named, if they were listed before."""
        while True:
            if (found := self.client.listed.get((self.name, revision, folder, True))) is not None or not folder:
                return found
            folder = folder.rpartition("/")[0]

    def files(self, revision: str, folder: str = "", *, recursive: bool = True) -> list[TreeFile]:
        """Files at a commit or branch in a folder, by default all; what a commit has is asked for once."""
        key = (self.name, revision, folder, recursive)
        if key in self.client.listed:
            return self.client.listed[key]
        what = f"the list of files of {self.name} at {revision}"
        path = f"{self._api}/tree/{quote(revision, safe='')}" + (f"/{quote(folder, safe='')}" if folder else "")
        with as_hub(self.client.endpoint, what):
            items = self.client.listing(path, what, {"recursive": str(recursive).lower(), "expand": "false"})
            found = [_listed_file(item) for item in items if item["type"] == "file"]
        if _SHA.fullmatch(revision):  # a commit never changes
            self.client.listed[key] = found
        return found

    def fetch(self, file: TreeFile, revision: str, target: Path) -> Path:
        """Download one file, whole and checked, or not at all; what has arrived of it ends in ``.part``."""
        key = (self.name, revision, file.path)
        if key in self.client.refused:  # the other difference that needs this checkpoint fails at once
            raise InputError(self.client.refused[key])
        try:
            path = Download(self.client, self.name, file, revision, target).run()
        except SourceLostError:
            raise
        except InputError as error:
            self.client.refused[key] = str(error)
            raise
        self.client.lost = 0
        return path


def _sha(value: Any) -> str:
    if not isinstance(value, str) or not _SHA.fullmatch(value):
        raise TypeError
    return value


def _listed_file(item: dict[str, Any]) -> TreeFile:
    large = item.get("lfs")
    size = large["size"] if large else item["size"]
    if type(size) is not int or size < 0:
        raise TypeError
    return TreeFile(str(item["path"]), size, str(large["oid"]) if large else None, str(item["oid"]))
