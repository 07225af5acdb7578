"""The store of a study: one SQLite file, one transaction per cascade, readers beside the writer."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from gradcascade import vocabulary
from gradcascade.errors import InputError
from gradcascade.vocabulary import CASCADE_COLUMNS, polars_schema

VERSION = 1
"""Number of the tables' layout, kept in the file's ``user_version``."""

COLUMNS = polars_schema(CASCADE_COLUMNS)
"""Columns of the table of cascades, in order."""

IDENTITY = ("family", "scale", "step", "field", "variant", "replicate")
"""What a cascade is called."""

KEY = (*IDENTITY, "content_hash", "probe_hash", "seed")
"""What determines a cascade: measured once, never again."""

METRIC_COLUMNS = polars_schema(vocabulary.METRIC_COLUMNS)

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS cascades (
  id INTEGER PRIMARY KEY,
  family TEXT NOT NULL, scale TEXT NOT NULL, step INTEGER NOT NULL, field TEXT NOT NULL,
  variant TEXT NOT NULL, replicate INTEGER NOT NULL, n INTEGER NOT NULL, tau REAL NOT NULL,
  size INTEGER NOT NULL, duration INTEGER NOT NULL, ceiling INTEGER NOT NULL, activity TEXT NOT NULL,
  max_over_tau REAL, kurtosis REAL, zero_share REAL NOT NULL, source TEXT NOT NULL, revision TEXT NOT NULL,
  content_hash TEXT NOT NULL, probe_hash TEXT NOT NULL, seed INTEGER NOT NULL, seconds REAL NOT NULL,
  UNIQUE ({", ".join(KEY)})
);
CREATE TABLE IF NOT EXISTS contents (
  snapshot TEXT PRIMARY KEY, revision TEXT NOT NULL, content_hash TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS current (
  family TEXT NOT NULL, scale TEXT NOT NULL, step INTEGER NOT NULL, field TEXT NOT NULL,
  content_hash TEXT NOT NULL, conventions TEXT NOT NULL,
  PRIMARY KEY (family, scale, step, field, conventions)
);
CREATE TABLE IF NOT EXISTS refusals (
  family TEXT NOT NULL, scale TEXT NOT NULL, step INTEGER NOT NULL, field TEXT NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY (family, scale, step, field)
);
CREATE TABLE IF NOT EXISTS metrics (
  family TEXT NOT NULL, scale TEXT NOT NULL, step INTEGER NOT NULL, metric TEXT NOT NULL, value REAL,
  PRIMARY KEY (family, scale, step, metric)
);
"""


class Store:
    """Measurements of one study.

    Parameters
    ----------
    path : pathlib.Path
        The SQLite file; made if it does not exist.

    Raises
    ------
    InputError
        If the file is not a store, or was written by another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._explained():
            self._connection = sqlite3.connect(path, timeout=60, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self) -> None:
        found = self._connection.execute("PRAGMA user_version").fetchone()[0]
        tables = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and found != VERSION:
            raise InputError(
                f"{self.path} was written by another version of gradcascade (layout {found}, this one reads "
                f"{VERSION}); measure into a new folder, or use the version that wrote it"
            )
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        if not tables:
            self._connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what SQLite says into what a user can do."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            said = str(error)
            if "disk is full" in said or "disk I/O" in said:
                raise InputError(
                    f"there is no room left on the disk of {self.path}; free some and run the same command again "
                    "(everything measured so far is kept)"
                ) from None
            if "not a database" in said or "malformed" in said:
                raise InputError(
                    f"{self.path} is not a store of cascades ({said}); restore it or remove it"
                ) from None
            if isinstance(error, sqlite3.OperationalError):
                raise InputError(f"{self.path} cannot be used ({said}); check its folder and permissions") from None
            raise

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._explained():
            return self._connection.execute(query, values).fetchall()

    def keys(self) -> set[tuple[Any, ...]]:
        """Keys of everything measured, as tuples in the order of :data:`KEY`."""
        return set(self._rows(f"SELECT {', '.join(KEY)} FROM cascades"))

    def add(self, row: dict[str, Any]) -> None:
        """Keep one cascade, in one transaction; a cascade that is there already stays as it is."""
        values = {**row, "activity": json.dumps([int(a) for a in row["activity"]])}
        names = list(COLUMNS)
        with self._explained():
            self._connection.execute(
                f"INSERT INTO cascades ({', '.join(names)}) VALUES ({', '.join('?' * len(names))}) "
                f"ON CONFLICT DO NOTHING",
                [values[name] for name in names],
            )

    def cascades(self) -> pl.DataFrame:
        """Every cascade ever measured, in the order of measuring."""
        rows = self._rows(f"SELECT {', '.join(COLUMNS)} FROM cascades ORDER BY id")
        table = pl.DataFrame(rows, schema={**COLUMNS, "activity": pl.String(), "ceiling": pl.Int64()}, orient="row")
        return table.with_columns(
            pl.col("activity").str.json_decode(pl.List(pl.Int64)), pl.col("ceiling").cast(pl.Boolean)
        )

    def families(self) -> set[str]:
        """Names of the families of which anything was measured."""
        return {row[0] for row in self._rows("SELECT DISTINCT family FROM cascades")}

    def content_hash(self, snapshot: str, revision: str) -> str | None:
        """Content hash of a snapshot that was read before at this revision."""
        rows = self._rows(
            "SELECT content_hash FROM contents WHERE snapshot = ? AND revision = ?", (snapshot, revision)
        )
        return rows[0][0] if rows else None

    def remember_content(self, snapshot: str, revision: str, content_hash: str) -> None:
        """Remember the content hash of a snapshot, so that it need not be read again."""
        self._rows("INSERT OR REPLACE INTO contents VALUES (?, ?, ?)", (snapshot, revision, content_hash))

    def set_current(
        self, family: str, scale: str, step: int, field: str, content_hash: str, conventions: str
    ) -> None:
        """Note which contents a snapshot has now, under these conventions; it is then refused no longer."""
        name = (family, scale, step, field)
        with self._explained():
            self._connection.execute("BEGIN")
            self._connection.execute(
                "INSERT OR REPLACE INTO current VALUES (?, ?, ?, ?, ?, ?)", (*name, content_hash, conventions)
            )
            self._connection.execute("DELETE FROM refusals WHERE (family, scale, step, field) = (?, ?, ?, ?)", name)
            self._connection.execute("COMMIT")

    def current(self) -> pl.DataFrame:
        """Contents that every snapshot had when it was seen last, and the conventions it was read by."""
        names = (*IDENTITY[:4], "content_hash")
        schema = {**{name: COLUMNS[name] for name in names}, "conventions": pl.String()}
        return pl.DataFrame(self._rows("SELECT * FROM current"), schema=schema, orient="row")

    def seen(self) -> list[tuple[Any, ...]]:
        """What every snapshot was read from when it was seen last: names, content hash, conventions, source."""
        keys = (*IDENTITY[:4], "content_hash")
        names = ", ".join(keys)
        return self._rows(
            f"SELECT {names}, conventions, max(source) FROM current JOIN cascades USING ({names}) "
            f"GROUP BY {names}, conventions"
        )

    def refuse(self, family: str, scale: str, step: int, field: str, reason: str) -> None:
        """Remember why a snapshot could not be measured."""
        self._rows("INSERT OR REPLACE INTO refusals VALUES (?, ?, ?, ?, ?)", (family, scale, step, field, reason))

    def set_aside(self, family: str, scale: str, step: int, field: str, reason: str) -> None:
        """Refuse a snapshot whatever was measured of it before: it has no current contents any more."""
        name = (family, scale, step, field)
        with self._explained():
            self._connection.execute("BEGIN")
            self._connection.execute("DELETE FROM current WHERE (family, scale, step, field) = (?, ?, ?, ?)", name)
            self._connection.execute("INSERT OR REPLACE INTO refusals VALUES (?, ?, ?, ?, ?)", (*name, reason))
            self._connection.execute("COMMIT")

    def refusals(self) -> pl.DataFrame:
        """Snapshots that could not be measured, with the reason."""
        schema = {**{name: COLUMNS[name] for name in IDENTITY[:4]}, "reason": pl.String()}
        return pl.DataFrame(self._rows("SELECT * FROM refusals"), schema=schema, orient="row")

    def put_metrics(self, table: pl.DataFrame) -> None:
        """Keep external performance numbers; newer values replace older ones."""
        rows = table.select(list(METRIC_COLUMNS)).rows()
        with self._explained():
            self._connection.execute("BEGIN")
            self._connection.executemany("INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, ?, ?)", rows)
            self._connection.execute("COMMIT")

    def metrics(self) -> pl.DataFrame:
        """External performance numbers."""
        rows = self._rows("SELECT * FROM metrics ORDER BY family, scale, step, metric")
        return pl.DataFrame(rows, schema=METRIC_COLUMNS, orient="row")
