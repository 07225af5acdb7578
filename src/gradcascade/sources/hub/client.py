"""Repositories on the hub: branches, commits, files with their hashes, and the bytes of one file."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gradcascade.errors import InputError, SourceLostError
from gradcascade.sources.hub.exchange import Exchange, Watch, read_json, understood
from gradcascade.sources.hub.patience import Patience
from gradcascade.sources.stored import shown

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_SHA = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class RemoteFile:
    """One file of a repository at one commit, as the hub lists it.

    Parameters
    ----------
    path : str
        Its path in the repository.
    size : int
        Its bytes.
    sha256 : str or None
        SHA-256 of its bytes; None for small text files, which git keeps itself.
    oid : str or None
        Git's own name of it: the SHA-1 of a small file with git's header, of a pointer for a large one.
    """

    path: str
    size: int
    sha256: str | None
    oid: str | None = None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    def is_in(self, path: Path) -> bool:
        """Whether a local file has exactly these bytes."""
        if path.stat().st_size != self.size:
            return False
        with path.open("rb") as stream:
            if self.sha256:
                return hashlib.file_digest(stream, "sha256").hexdigest() == self.sha256
            digest = hashlib.sha1(b"blob %d\0" % self.size, usedforsecurity=False)
            while block := stream.read(1 << 20):
                digest.update(block)
            return digest.hexdigest() == self.oid


@dataclass(frozen=True)
class Commit:
    """One commit of a branch."""

    sha: str
    title: str


class HubClient(Exchange):
    """A hub, and what was learnt of it: listings of commits, files that were checked, files that cannot be had.

    Parameters
    ----------
    endpoint, patience, timeout, watch
        See :class:`gradcascade.sources.hub.exchange.Exchange`.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        patience: Patience | None = None,
        timeout: float | None = None,
        watch: Watch | None = None,
    ) -> None:
        super().__init__(endpoint, patience=patience, timeout=timeout, watch=watch)
        self.listed: dict[tuple[str, str, str, bool], list[RemoteFile]] = {}
        self.refused: dict[tuple[str, str, str], str] = {}
        self.checked: dict[Path, tuple[Any, ...]] = {}

    def repository(self, name: str) -> Repository:
        """A repository of models.

        Parameters
        ----------
        name : str
            ``owner/name``.

        Raises
        ------
        InputError
            If this cannot be the name of a repository.
        """
        if not _NAME.fullmatch(name) or ".." in name:
            raise InputError(f"{shown(name)} is no repository; name one like EleutherAI/pythia-70m")
        return Repository(self, name)


@dataclass(frozen=True)
class Repository:
    """One repository of models on the hub.

    Parameters
    ----------
    client : HubClient
        The hub.
    name : str
        ``owner/name``.
    """

    client: HubClient = field(repr=False)
    name: str

    def branches(self) -> dict[str, str]:
        """Commits that the branches end in, by the branches' names.

        Raises
        ------
        InputError
            As :meth:`HubClient.get`.
        """
        what = f"the list of branches of {self.name}"
        answer = self.client.get(f"{self.client.endpoint}/api/models/{self.name}/refs", what, read_json)
        with understood(self.client.endpoint, what):
            return {item["name"]: _sha(item["targetCommit"]) for item in answer["branches"]}

    def commits(self, revision: str) -> list[Commit]:
        """Commits of a branch, the newest first.

        Raises
        ------
        InputError
            As :meth:`HubClient.get`.
        """
        what = f"the list of commits of {self.name} at {revision}"
        with understood(self.client.endpoint, what):
            items = self.client.listing(f"{self.name}/commits/{quote(revision, safe='')}", what)
            return [Commit(_sha(item["id"]), str(item["title"])) for item in items]

    def files(self, revision: str, folder: str = "", *, recursive: bool = True) -> list[RemoteFile]:
        """Files of a repository at a revision.

        Parameters
        ----------
        revision : str
            A commit, or a branch.
        folder : str
            Folder in the repository; by default all of it.
        recursive : bool
            Whether to list folders in it too.

        Returns
        -------
        list of RemoteFile

        Raises
        ------
        InputError
            As :meth:`HubClient.get`.
        """
        key = (self.name, revision, folder, recursive)
        if key in self.client.listed:
            return self.client.listed[key]
        what = f"the list of files of {self.name} at {revision}"
        path = f"{self.name}/tree/{quote(revision, safe='')}" + (f"/{quote(folder, safe='')}" if folder else "")
        with understood(self.client.endpoint, what):
            items = self.client.listing(path, what, {"recursive": str(recursive).lower(), "expand": "false"})
            found = [_remote_file(item) for item in items if item["type"] == "file"]
        if _SHA.fullmatch(revision):  # a commit never changes
            self.client.listed[key] = found
        return found

    def fetch(self, file: RemoteFile, revision: str, target: Path) -> Path:
        """Bring one file here, whole and checked, or not at all; a download that was broken off is continued.

        Parameters
        ----------
        file : RemoteFile
            What to fetch.
        revision : str
            The commit.
        target : pathlib.Path
            Where to; what has arrived lies beside it, ending in ``.part``, until it is whole.

        Returns
        -------
        pathlib.Path
            `target`.

        Raises
        ------
        InputError
            As :meth:`HubClient.get`, and if the bytes that come are not those listed.
        """
        from gradcascade.sources.hub.transfer import Transfer

        key = (self.name, revision, file.path)
        if key in self.client.refused:  # the other difference that this checkpoint enters need not wait for it too
            raise InputError(self.client.refused[key])
        try:
            path = Transfer(self, file, revision, target).run()
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


def _remote_file(item: dict[str, Any]) -> RemoteFile:
    large = item.get("lfs")
    size = large["size"] if large else item["size"]
    if type(size) is not int or size < 0:
        raise TypeError
    return RemoteFile(str(item["path"]), size, str(large["oid"]) if large else None, str(item["oid"]))
