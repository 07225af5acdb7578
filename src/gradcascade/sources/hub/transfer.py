"""One file on its way from the hub: continued where it broke off, checked when it is whole."""

from __future__ import annotations

import errno
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gradcascade.errors import InputError, SourceLostError
from gradcascade.sources.hub.exchange import AgainError
from gradcascade.sources.stored import shown

if TYPE_CHECKING:
    from gradcascade.sources.hub.client import RemoteFile, Repository

WRONG = 3
"""Times that a file may come with bytes other than those listed."""

_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


@dataclass(frozen=True)
class Transfer:
    """A file to fetch.

    Parameters
    ----------
    repository : Repository
        Where from.
    file : RemoteFile
        Which file.
    revision : str
        At which commit.
    target : pathlib.Path
        Where to.
    """

    repository: Repository
    file: RemoteFile
    revision: str
    target: Path

    @property
    def _part(self) -> Path:
        return self.target.with_name(self.target.name + ".part")

    def run(self) -> Path:
        """Fetch the file; see :meth:`gradcascade.sources.hub.client.Repository.fetch`."""
        if self.file.name in ("", ".", "..") or re.search(r"[\\\0]", self.file.name):
            raise InputError(f"{self.repository.name} names the file {shown(self.file.path)}; nothing was fetched")
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            if self._is_here():
                return self.target
            for _ in range(WRONG):
                self._fill()
                if self.file.is_in(self._part):
                    self._part.replace(self.target)
                    self._remember()
                    return self.target
                self._part.unlink()
        except OSError as error:
            raise self._explained(error) from None
        raise InputError(
            f"{self.file.path} of {self.repository.name} at {self.revision} came {WRONG} times with other bytes than "
            f"the hub lists (SHA-256 {self.file.sha256 or 'of git, ' + str(self.file.oid)}); nothing of it was used"
        )

    def _is_here(self) -> bool:
        """Whether the file is there and whole; read again unless this process checked it."""
        if not self.target.exists():
            return False
        if self.repository.client.checked.get(self.target) == self._state():
            return True
        if not self.file.is_in(self.target):
            return False
        self._remember()
        return True

    def _remember(self) -> None:
        self.repository.client.checked[self.target] = self._state()

    def _state(self) -> tuple[Any, ...]:
        status = self.target.stat()
        return self.file, status.st_ino, status.st_size, status.st_mtime_ns

    def _arrived(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def _fill(self) -> None:
        """Fetch until the partial file has the listed size."""
        if self._arrived() > self.file.size:
            self._part.unlink()
        free = shutil.disk_usage(self.target.parent).free
        if self.file.size - self._arrived() > free:
            raise OSError(errno.ENOSPC, "no space left on device")
        if self._arrived() == self.file.size:
            self._part.touch()
            return
        client, name = self.repository.client, self.repository.name
        url = f"{client.endpoint}/{name}/resolve/{quote(self.revision, safe='')}/{quote(self.file.path)}"
        what = f"{self.file.path} of {name} at {self.revision}"
        client.get(url, what, self._receive, headers=self._headers, progress=self._arrived)

    def _headers(self) -> dict[str, str]:
        return {"Range": f"bytes={have}-"} if (have := self._arrived()) else {}

    def _receive(self, answer: Any) -> None:
        have = self._arrived()
        if answer.status_code == 206:
            match = _RANGE.fullmatch(answer.headers.get("content-range") or "")
            if not match or int(match[1]) != have:
                self._part.unlink(missing_ok=True)
                raise AgainError("it sent another part than the one asked for")
        else:
            have = 0  # the whole file comes, asked for or not
        with self._part.open("r+b" if have else "wb") as stream:
            stream.seek(have)
            for chunk in answer.iter_bytes():
                have += stream.write(chunk)
                if have > self.file.size:
                    break
                if watch := self.repository.client.watch:
                    watch(f"{self.repository.name} {self.file.name}", have, self.file.size)
        if have > self.file.size:
            self._part.unlink()
            raise AgainError(f"it sent more than the {self.file.size} bytes listed")
        if have < self.file.size:
            raise AgainError(f"the connection ended after {have} of {self.file.size} bytes")

    def _explained(self, error: OSError) -> InputError:
        folder = self.target.parent
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return SourceLostError(
                f"there is no room for the {self.file.size / 1e6:,.0f} MB of {self.file.path} in {folder}; free some "
                "and run the same command again (everything measured so far is kept)"
            )
        return SourceLostError(f"{folder} cannot be written ({error.strerror or error}); check its permissions")
