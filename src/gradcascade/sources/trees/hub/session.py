"""Requests to the hub: retried, bounded in time and size, and told apart by what can be done about a failure.

Session, headers (with the user's token) and errors are those of ``huggingface_hub``. Requests are made here because
its own download retries for half a minute without a network, does not continue what another process began, and does
not check the listed SHA-256, and its listings have no time limit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

from gradcascade.errors import InputError, MissingError, RepositoryRefusedError, SourceLostError
from gradcascade.sources.trees.base import TreeFile
from gradcascade.sources.trees.hub.retry import RetryPolicy, named_wait

T = TypeVar("T")
Watch = Callable[[str, int, int], None]
"""Called with what is fetched, bytes so far, and bytes in all; with none in all while it is waited for."""

RETRY = RetryPolicy()
LOST_IN_A_ROW = 3  # files in a row that may be given up before the hub counts as lost
MAX_ANSWER = 1 << 25  # bytes of one JSON answer that are read; a page of a listing has some hundred thousand
MAX_PAGES = 10_000  # of one listing that are asked for; a page has up to a thousand items

_AGAIN = "run the same command again later, it continues where it stopped"


class NoSuchFileError(MissingError):
    """The revision is there, and this file or folder is not in it."""


class RetryableError(Exception):
    """An attempt that failed and may succeed when repeated; has the wait that the hub asked for, if any."""

    def __init__(self, what: str, named: float | None = None) -> None:
        super().__init__(what)
        self.named = named


class Session:
    """A hub ($HF_ENDPOINT); an attempt fails after ``timeout`` silent seconds ($HF_HUB_DOWNLOAD_TIMEOUT, else 10)."""

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        retry: RetryPolicy | None = None,
        timeout: float | None = None,
        watch: Watch | None = None,
    ) -> None:
        from huggingface_hub import constants

        self.endpoint = (endpoint or constants.ENDPOINT).rstrip("/")
        if not re.match(r"https?://[^/]", self.endpoint):
            raise SourceLostError(
                f"the hub's address {self.endpoint!r} does not begin with https://; correct $HF_ENDPOINT"
            )
        self.retry = retry or RETRY
        self.timeout = timeout or float(constants.HF_HUB_DOWNLOAD_TIMEOUT)
        self.watch = watch
        self._reached = False
        self.lost = 0
        self.cancelled = False
        """Whether nothing more is wanted: what another thread fetches then ends."""
        self.checked: dict[Path, tuple[Any, ...]] = {}
        """Downloaded files whose bytes were compared with the listing in this process."""
        self.listed: dict[tuple[str, str, str, bool], list[TreeFile]] = {}
        """Files in a folder of a repository at a commit."""
        self.refused: dict[tuple[str, str, str], str] = {}
        """What was wrong with files that could not be had."""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "watch": None}  # who watches stays in its own process

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
        """GET until `use` has taken an answer, or attempts are used up; `progress` grows when one got further."""
        failures = total = 0
        while True:
            self.go_on()
            before = progress()
            try:
                return self._attempt(url, params, headers(), use, what)
            except RetryableError as error:
                total += 1
                failures = 1 if progress() > before else failures + 1
                if failures >= self.retry.attempts or total >= self.retry.total:
                    self._give_up(what, str(error), total)
                if error.named is not None and error.named > self.retry.limit:
                    raise SourceLostError(
                        f"{self.endpoint} asks to wait {error.named:.0f} s before {what}; {_AGAIN}"
                    ) from None
                if self.watch:
                    self.watch(f"{what}, trying again soon: {error}", 0, 0)
                self.retry.wait(failures, error.named)

    def go_on(self) -> None:
        """Raise if nothing more is wanted."""
        if self.cancelled:
            raise SourceLostError(f"what was fetched from {self.endpoint} is not wanted any more; {_AGAIN}")

    def _attempt(
        self, url: str, params: dict[str, str] | None, headers: dict[str, str], use: Callable[[Any], T], what: str
    ) -> T:
        from huggingface_hub.errors import HTTPError, OfflineModeIsEnabled
        from huggingface_hub.utils import build_hf_headers, get_session

        from gradcascade import __version__

        own = build_hf_headers(library_name="gradcascade", library_version=__version__)
        if not all(value.isascii() and value.isprintable() for value in own.values()):
            raise SourceLostError(
                "the token for the hub contains characters that are not allowed in a token; log in again with "
                "`hf auth login`, or correct $HF_TOKEN"
            )
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
            raise RetryableError(said) from None

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
            raise RetryableError(f"it answered {status}", named_wait(answer.headers))
        if status in (401, 403) or code in ("RepoNotFound", "GatedRepo"):
            raise RepositoryRefusedError(
                f"{self.endpoint} refuses {what} (it answered {status}): the repository does not exist, or needs "
                "rights that you get with `hf auth login`; check its name"
            )
        if status == 404:
            missing = {"RevisionNotFound": "this revision", "EntryNotFound": "this file"}.get(code, "it")
            kind = NoSuchFileError if code == "EntryNotFound" else MissingError
            raise kind(f"{what} is not available: {self.endpoint} does not have {missing} (any more)")
        raise InputError(f"{what} is not available: {self.endpoint} answered {status}")

    def _give_up(self, what: str, reason: str, attempts: int) -> NoReturn:
        self.lost += 1
        said = f"{what} could not be downloaded: {attempts} attempts failed, the last because {reason}"
        if self.lost >= LOST_IN_A_ROW or not self._reached:
            raise SourceLostError(f"{said}; {_AGAIN}")
        raise InputError(said)

    def listing(self, path: str, what: str, params: dict[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """Items of a listing of the hub, page by page."""
        url: str | None = f"{self.endpoint}/api/{path}"
        asked = set[str]()
        while url:
            if url in asked or len(asked) >= MAX_PAGES:  # pages that go in a circle never end
                raise SourceLostError(_not_a_hub(self.endpoint, what))
            asked.add(url)
            page, following = self.get(url, what, _page, params=params)
            if not isinstance(page, list):
                raise SourceLostError(_not_a_hub(self.endpoint, what))
            yield from page
            # The token goes to the endpoint alone, whatever host the link names.
            rest = urlsplit(following or "")
            own = rest.path.removeprefix(urlsplit(self.endpoint).path)
            url = f"{self.endpoint}{own}?{rest.query}" if following else None
            params = None


def _page(answer: Any) -> tuple[Any, str | None]:
    return read_json(answer), answer.links.get("next", {}).get("url")


def read_json(answer: Any) -> Any:
    """Content of an answer, None if it is not JSON or too long; one that breaks off raises."""
    body = bytearray()
    for chunk in answer.iter_bytes():
        body += chunk
        if len(body) > MAX_ANSWER:
            return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _not_a_hub(endpoint: str, what: str) -> str:
    return (
        f"{endpoint} does not answer {what} as a Hugging Face hub does; check $HF_ENDPOINT, and whether a login page "
        "or a proxy answers instead"
    )


@contextmanager
def as_hub(endpoint: str, what: str) -> Iterator[None]:
    """Refuse an answer that lacks what a hub's answer has."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, IndexError):
        raise SourceLostError(_not_a_hub(endpoint, what)) from None
