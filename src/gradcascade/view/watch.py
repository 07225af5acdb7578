"""Whether a study has changed, and whether another process has it open, without reading its cascades."""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from gradcascade.study import reading

STORE = "cascades.sqlite"


class Glance(NamedTuple):
    """What a study looks like at a moment."""

    cascades: int
    """Cascades in the store; 0 where there is no store yet."""
    mark: str
    """Changes whenever what a report shows may have changed."""
    measuring: bool
    """Whether another process has the store open."""


def glance(folder: Path) -> Glance:
    """Look at a study without its cascades; a log (``-wal``) beside a store that we closed means another measures."""
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
    if reading.why_read_only(store):
        return reading.connect(store)
    return sqlite3.connect(f"{store.resolve().as_uri()}?mode=rw", uri=True, timeout=5, isolation_level=None)
