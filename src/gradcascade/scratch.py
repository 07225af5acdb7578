"""A folder for what is only kept to save time, where the usual place cannot be written."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path


class CacheWarning(UserWarning):
    """Something about a cache that costs time but does not change results."""


@cache
def temporary(name: str) -> Path | None:
    """A folder of this user alone below the system's temporary one, the same next time; None if there is none.

    Compiled kernels are run as they lie there, so a folder that others own or may write to is not taken.
    """
    user = os.geteuid() if hasattr(os, "geteuid") else "cache"
    with suppress(OSError):
        folder = Path(tempfile.gettempdir()) / f"gradcascade-{user}"
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        if _own(folder):
            own = folder / name
            own.mkdir(mode=0o700, exist_ok=True)
            if _own(own):
                return own
    with suppress(OSError):
        return Path(tempfile.mkdtemp(prefix=f"gradcascade-{name}-"))
    return None


def _own(folder: Path) -> bool:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or not writable(folder):
        return False
    return not hasattr(os, "geteuid") or (found.st_uid == os.geteuid() and not found.st_mode & 0o022)


def writable(path: Path) -> bool:
    """Whether this process may write to a file or folder that is there."""
    mode = os.W_OK | (os.X_OK if path.is_dir() else 0)
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def home() -> Path | None:
    """The user's home; None for a user without one, as in containers that run under any number."""
    with suppress(RuntimeError):
        return Path.home()
    return None


def can_write(folder: Path) -> bool:
    """Whether a folder can be written to, or made where it is not there yet."""
    folder = folder.absolute()
    with suppress(OSError):
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        return folder.is_dir() and writable(folder)
    return False
