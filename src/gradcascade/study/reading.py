"""Opens a store to read it: neither the file nor its folder is written, and a writer is not disturbed."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path

from gradcascade.scratch import writable

_LOGS = ("-wal", "-journal")
"""What may lie beside a store and belong to it, by the ends of the names."""

_PATIENCE = 30.0
"""Seconds for which copies are tried while somebody else changes the file."""


def why_read_only(path: Path) -> str | None:
    """Why a store that is there cannot be written, in words; None if it can be, or is not there.

    SQLite keeps a log beside the file, so the folder has to be writable too.
    """
    if not path.is_file():
        return None
    for place in (path, path.absolute().parent):
        if not writable(place):
            on_read_only_disk = hasattr(os, "statvfs") and os.statvfs(place).f_flag & os.ST_RDONLY
            return f"{place}: {os.strerror(errno.EROFS if on_read_only_disk else errno.EACCES)}"
    return None


def connect(path: Path) -> sqlite3.Connection:
    """Open a store that cannot be written: live where a writer has it open, else a copy in memory."""
    if all(_beside(path, end).is_file() for end in ("-wal", "-shm")):
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=60, isolation_level=None)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            return connection
        except sqlite3.OperationalError:  # what a killed writer left, or files that this user may not read
            connection.close()
    return in_memory(path)


def in_memory(path: Path) -> sqlite3.Connection:
    """A copy of a store in memory; neither the file nor anything beside it is written."""
    end = time.monotonic() + _PATIENCE
    while True:
        before = _state(path)
        memory = sqlite3.connect(":memory:", isolation_level=None)
        try:
            _copy(path, memory)
            if _state(path) == before:
                return memory
        except sqlite3.DatabaseError:
            if _state(path) == before:
                memory.close()
                raise
        memory.close()
        if time.monotonic() > end:
            raise sqlite3.OperationalError("it is being written all the time")


def _copy(path: Path, memory: sqlite3.Connection) -> None:
    with tempfile.TemporaryDirectory() as folder:
        options = "immutable=1"  # SQLite would make a log and an index of it, even to read only
        if logs := [end for end in _LOGS if _has(path, end)]:
            for end in logs:
                shutil.copyfile(_beside(path, end), Path(folder) / f"{path.name}{end}")
            path, options = Path(shutil.copyfile(path, Path(folder) / path.name)), "mode=rw"
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?{options}", uri=True)) as source:
            source.backup(memory)


def why_whole(path: Path) -> str:
    """Words for a store that is whole although it was found damaged a moment ago; nothing if it is damaged."""
    try:
        with closing(in_memory(path)) as memory:
            found = memory.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError:
        return ""
    return "a read failed" if found == "ok" else ""


def log_of(path: Path) -> bool:
    """Whether a store has a log with something in it."""
    return _has(path, "-wal")


def _has(path: Path, end: str) -> bool:
    try:
        return _beside(path, end).stat().st_size > 0
    except FileNotFoundError:
        return False


def _beside(path: Path, end: str) -> Path:
    return path.with_name(f"{path.name}{end}")


def _state(path: Path) -> list[tuple[int, int, bytes] | None]:
    """Changes whenever the file, its log or its journal was written; the header counts the changes."""
    found: list[tuple[int, int, bytes] | None] = []
    for place in (path, *(_beside(path, end) for end in _LOGS)):
        state = None
        with suppress(FileNotFoundError), place.open("rb") as file:  # opened, so that a network's server is asked
            stat = os.fstat(file.fileno())
            state = stat.st_mtime_ns, stat.st_size, file.read(100)
        found.append(state)
    return found
