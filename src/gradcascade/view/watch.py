"""See cheaply whether a study has changed, and whether another process has it open."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

STORE = "cascades.sqlite"


class Glance(NamedTuple):
    """What a study looks like at a moment.

    Attributes
    ----------
    cascades : int
        Cascades in the store; 0 where there is no store yet.
    mark : str
        Changes whenever what a report shows may have changed.
    measuring : bool
        Whether another process has the store open.
    """

    cascades: int
    mark: str
    measuring: bool


def glance(folder: Path) -> Glance:
    """Look at a study without reading its cascades.

    The store keeps a log of its own beside it (SQLite's ``-wal`` file) for as long as some process has it open; the
    last one to close it, be it after one that was killed, removes the log. So a log that is still there when this
    look is over belongs to a process that measures.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the study.

    Returns
    -------
    Glance

    Raises
    ------
    sqlite3.Error
        If there is a store that cannot be read now.
    """
    store = folder / STORE
    digest = hashlib.sha256()
    try:
        plan = (folder / "plan.toml").stat()
        digest.update(repr((plan.st_mtime_ns, plan.st_size)).encode())
    except OSError:
        digest.update(b"no plan")
    cascades = 0
    if store.is_file():
        with closing(_connect(store)) as connection:
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'metrics'").fetchone():
                cascades, last = connection.execute("SELECT count(*), max(id) FROM cascades").fetchone()
                digest.update(repr(last).encode())
                for table in ("current", "refusals", "metrics"):  # rows of these are replaced; they are few and short
                    for row in connection.execute(f"SELECT * FROM {table}"):
                        digest.update(repr(row).encode())
    return Glance(cascades, digest.hexdigest(), (folder / f"{STORE}-wal").exists())


def _connect(store: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{store.resolve().as_uri()}?mode=rw", uri=True, timeout=5, isolation_level=None)
