"""Downloads one file: continued where it broke off, checked when it is whole."""

from __future__ import annotations

import errno
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gradcascade.errors import InputError, SourceLostError
from gradcascade.sources.stored import shown
from gradcascade.sources.trees.base import TreeFile
from gradcascade.sources.trees.hub.session import RetryableError, Session

WRONG_BYTES = 3  # times that a file is downloaded whose bytes differ from those listed

_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


@dataclass(frozen=True)
class Download:
    """A file of a repository at one commit, and where it goes."""

    session: Session
    repository: str
    file: TreeFile
    revision: str
    target: Path

    @property
    def _part(self) -> Path:
        return self.target.with_name(self.target.name + ".part")

    def run(self) -> Path:
        """Fetch the file; gives its target."""
        if self.file.name in ("", ".", "..") or re.search(r"[\\\0]", self.file.name):
            raise InputError(
                f"{self.repository} lists a file with the unsafe name {shown(self.file.path)}; nothing was downloaded"
            )
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            if self._is_here():
                return self.target
            for _ in range(WRONG_BYTES):
                self._fill()
                if self.file.is_in(self._part):
                    self._part.replace(self.target)
                    self.session.checked[self.target] = self._state()
                    return self.target
                self._part.unlink()
        except OSError as error:
            raise self._explained(error) from None
        listed = f"SHA-256 {self.file.sha256}" if self.file.sha256 else f"git object {self.file.oid}"
        raise InputError(
            f"{self.file.path} of {self.repository} at {self.revision} was downloaded {WRONG_BYTES} times, and its "
            f"bytes never were those that the hub lists ({listed}); nothing was used"
        )

    def _is_here(self) -> bool:
        """Whether the file is there and whole; read again unless this process checked it."""
        if not self.target.exists():
            return False
        known = self.session.checked.get(self.target) == self._state()
        if not known and self.file.is_in(self.target):
            self.session.checked[self.target] = self._state()
            return True
        return known

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
        session, name = self.session, self.repository
        url = f"{session.endpoint}/{name}/resolve/{quote(self.revision, safe='')}/{quote(self.file.path)}"
        what = f"{self.file.path} of {name} at {self.revision}"
        session.get(url, what, self._receive, headers=self._headers, progress=self._arrived)

    def _headers(self) -> dict[str, str]:
        return {"Range": f"bytes={have}-"} if (have := self._arrived()) else {}

    def _receive(self, answer: Any) -> None:
        have = self._arrived()
        if answer.status_code == 206:
            match = _RANGE.fullmatch(answer.headers.get("content-range") or "")
            if not match or int(match[1]) != have:
                self._part.unlink(missing_ok=True)
                raise RetryableError("it sent another part than the one asked for")
        else:
            have = 0  # the whole file comes, asked for or not
        with self._part.open("r+b" if have else "wb") as stream:
            stream.seek(have)
            for chunk in answer.iter_bytes():
                have += stream.write(chunk)
                if have > self.file.size:
                    break
                self.session.go_on()
                if watch := self.session.watch:
                    watch(f"{self.repository} {self.file.name}", have, self.file.size)
        if have > self.file.size:
            self._part.unlink()
            raise RetryableError(f"it sent more than the {self.file.size} bytes listed")
        if have < self.file.size:
            raise RetryableError(f"the connection ended after {have} of {self.file.size} bytes")

    def _explained(self, error: OSError) -> InputError:
        folder = self.target.parent
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return SourceLostError(
                f"there is no room for the {self.file.size / 1e6:,.0f} MB of {self.file.path} in {folder}; free some "
                "and run the same command again (everything measured so far is kept)"
            )
        return SourceLostError(f"{folder} cannot be written ({error.strerror or error}); check its permissions")
