"""Asks the Hugging Face hub for listings and files, patiently, and trusts no byte it has not checked.

Session, headers (with the token, where the user keeps one) and errors are those of ``huggingface_hub``. The requests
are made here because its own download knows neither of three things this needs: to fail at once without a network
(it retries for half a minute), to continue a download that another process began, and to check what came against the
SHA-256 of the listing. Its listings have no time limit at all.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from gradcascade.errors import InputError, SourceLostError
from gradcascade.sources.hub.patience import Patience, named_wait
from gradcascade.sources.stored import shown

T = TypeVar("T")
Watch = Callable[[str, int, int], None]
"""Called with what is fetched, bytes so far, and bytes in all; with none in all while it is waited for."""

PATIENCE = Patience()
LOST_IN_A_ROW = 3
"""Files in a row that may be given up before the hub counts as lost."""

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_SHA = re.compile(r"[0-9a-f]{40}")
_AGAIN = "run the same command again later, it continues where it stopped"


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


class MissingError(InputError):
    """The hub does not have this file or revision."""


class AgainError(Exception):
    """An attempt that failed where the next may not; carries what happened, and the wait the hub named."""

    def __init__(self, what: str, named: float | None = None) -> None:
        super().__init__(what)
        self.named = named


class HubClient:
    """A hub, and how patiently it is asked.

    Parameters
    ----------
    endpoint : str, optional
        Address of the hub; by default that of ``huggingface_hub`` (``$HF_ENDPOINT``).
    patience : Patience, optional
        Waits and attempts.
    timeout : float, optional
        Seconds without an answer or a byte after which an attempt counts as failed; by default that of
        ``huggingface_hub`` (``$HF_HUB_DOWNLOAD_TIMEOUT``, else 10).
    watch : callable, optional
        Called while files arrive.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        patience: Patience | None = None,
        timeout: float | None = None,
        watch: Watch | None = None,
    ) -> None:
        from huggingface_hub import constants

        self.endpoint = (endpoint or constants.ENDPOINT).rstrip("/")
        self.patience = patience or PATIENCE
        self.timeout = timeout or float(constants.HF_HUB_DOWNLOAD_TIMEOUT)
        self.watch = watch
        self._reached = False
        self._lost = 0
        self._listed: dict[tuple[str, str, str, bool], list[RemoteFile]] = {}
        self._refused: dict[tuple[str, str, str], str] = {}
        self.checked: dict[Path, tuple[Any, ...]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "watch": None}  # who watches stays in its own process

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

    def get(
        self,
        url: str,
        what: str,
        use: Callable[[Any], T],
        *,
        params: dict[str, str] | None = None,
        headers: Callable[[], dict[str, str]] = dict,
        progress: Callable[[], int] = int,
    ) -> T:
        """GET an address until an answer has been used in full, or patience ends.

        Parameters
        ----------
        url : str
            Address.
        what : str
            What it is, for messages.
        use : callable
            Takes the answer, whose body has not been read yet.
        params : dict, optional
            Parameters of the address.
        headers : callable
            Gives headers besides those of ``huggingface_hub``, anew for each attempt.
        progress : callable
            Number that grows when an attempt achieved something.

        Raises
        ------
        SourceLostError
            If the hub cannot be reached, or will not give this without other rights.
        InputError
            If this alone cannot be had.
        """
        failures = total = 0
        while True:
            before = progress()
            try:
                return self._attempt(url, params, headers(), use, what)
            except AgainError as error:
                total += 1
                failures = 1 if progress() > before else failures + 1
                if failures >= self.patience.attempts or total >= self.patience.most:
                    self._give_up(what, str(error), total)
                if error.named is not None and error.named > self.patience.limit:
                    raise SourceLostError(
                        f"{self.endpoint} asks to wait {error.named:.0f} s before {what}; {_AGAIN}"
                    ) from None
                if self.watch:
                    self.watch(f"{what}, again in a while: {error}", 0, 0)
                self.patience.wait(failures, error.named)

    def _attempt(
        self, url: str, params: dict[str, str] | None, headers: dict[str, str], use: Callable[[Any], T], what: str
    ) -> T:
        from huggingface_hub.errors import HTTPError, OfflineModeIsEnabled
        from huggingface_hub.utils import build_hf_headers, get_session

        from gradcascade import __version__

        own = build_hf_headers(library_name="gradcascade", library_version=__version__)
        # Compressed answers could neither be continued nor compared with the listed size.
        own |= {"Accept-Encoding": "identity", **headers}
        try:
            with get_session().stream("GET", url, params=params, headers=own, timeout=self.timeout) as answer:
                self._check(answer, what)
                self._reached = True
                return use(answer)
        except OfflineModeIsEnabled:
            raise SourceLostError(
                f"{what} needs {self.endpoint}, and offline mode is on; unset HF_HUB_OFFLINE, or measure a folder of "
                "runs on disk"
            ) from None
        except HTTPError as error:  # connections that fail, stall or break; answers were checked above
            said = str(error) or type(error).__name__
            if not self._reached and type(error).__name__ in ("ConnectError", "ConnectTimeout", "ProxyError"):
                raise SourceLostError(
                    f"{self.endpoint} cannot be reached ({said}); check the connection and run the same command "
                    "again, or measure a folder of runs on disk"
                ) from None
            raise AgainError(said) from None

    def _check(self, answer: Any, what: str) -> None:
        """Turn an answer that is an error into what can be done about it."""
        status = answer.status_code
        if status < 400:
            return
        code = answer.headers.get("x-error-code") or ""
        elsewhere = urlsplit(str(answer.url)).netloc != urlsplit(self.endpoint).netloc
        # An address signed for another host can have expired meanwhile: the next attempt gets a new one.
        if status in (408, 416, 429) or status >= 500 or (elsewhere and status in (401, 403, 404)):
            self._reached = True
            raise AgainError(f"it answered {status}", named_wait(answer.headers))
        if status in (401, 403) or code in ("RepoNotFound", "GatedRepo"):
            raise SourceLostError(
                f"{self.endpoint} refuses {what} (it answered {status}): the repository does not exist, or needs "
                "rights that you get with `hf auth login`; check its name"
            )
        if status == 404:
            missing = {"RevisionNotFound": "this revision", "EntryNotFound": "this file"}.get(code, "it")
            raise MissingError(f"{what} cannot be had: {self.endpoint} does not have {missing} (any more)")
        raise InputError(f"{what} cannot be had: {self.endpoint} answered {status}")

    def _give_up(self, what: str, reason: str, attempts: int) -> None:
        self._lost += 1
        said = f"{what} could not be had in {attempts} attempts, at last because {reason}"
        if self._lost >= LOST_IN_A_ROW or not self._reached:
            raise SourceLostError(f"{said}; {_AGAIN}")
        raise InputError(said)

    def listing(self, path: str, what: str, params: dict[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """Items of a listing of the hub, page by page."""
        url: str | None = f"{self.endpoint}/api/models/{path}"
        while url:
            page, following = self.get(url, what, _page, params=params)
            if not isinstance(page, list):
                raise SourceLostError(_stranger(self.endpoint, what))
            yield from page
            # The token goes to the endpoint alone, whatever host the link names.
            rest = urlsplit(following or "")
            url = f"{self.endpoint}{rest.path}?{rest.query}" if following else None
            params = None


def _page(answer: Any) -> tuple[Any, str | None]:
    return _json(answer), answer.links.get("next", {}).get("url")


def _json(answer: Any) -> Any:
    try:
        return json.loads(answer.read())
    except (ValueError, RecursionError):
        return None


def _stranger(endpoint: str, what: str) -> str:
    return (
        f"{endpoint} answers to {what} with something else than a hub does; check $HF_ENDPOINT, and whether a login "
        "page stands in between"
    )


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
        answer = self.client.get(f"{self.client.endpoint}/api/models/{self.name}/refs", what, _json)
        with _understood(self.client.endpoint, what):
            return {item["name"]: _sha(item["targetCommit"]) for item in answer["branches"]}

    def commits(self, revision: str) -> list[Commit]:
        """Commits of a branch, the newest first.

        Raises
        ------
        InputError
            As :meth:`HubClient.get`.
        """
        what = f"the list of commits of {self.name} at {revision}"
        with _understood(self.client.endpoint, what):
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
        if key in self.client._listed:
            return self.client._listed[key]
        what = f"the list of files of {self.name} at {revision}"
        path = f"{self.name}/tree/{quote(revision, safe='')}" + (f"/{quote(folder, safe='')}" if folder else "")
        with _understood(self.client.endpoint, what):
            items = self.client.listing(path, what, {"recursive": str(recursive).lower(), "expand": "false"})
            found = [_remote_file(item) for item in items if item["type"] == "file"]
        if _SHA.fullmatch(revision):  # a commit never changes
            self.client._listed[key] = found
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
        if key in self.client._refused:  # the other difference that this checkpoint enters need not wait for it too
            raise InputError(self.client._refused[key])
        try:
            path = Transfer(self, file, revision, target).run()
        except SourceLostError:
            raise
        except InputError as error:
            self.client._refused[key] = str(error)
            raise
        self.client._lost = 0
        return path


class _understood:  # noqa: N801 - reads as a statement
    """Says that an answer is no hub's where it lacks what a hub's has."""

    def __init__(self, endpoint: str, what: str) -> None:
        self._where = endpoint, what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, KeyError | TypeError | AttributeError | IndexError):
            raise SourceLostError(_stranger(*self._where)) from None


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
