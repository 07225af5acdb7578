"""The store of a study: one SQLite file, one transaction per cascade, readers beside the writer."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from gradcascade import vocabulary
from gradcascade.errors import InputError
from gradcascade.sources.base import Name
from gradcascade.study import migration, reading
from gradcascade.study.journal import JournalWarning, Lock, rolls_back, why_not_read, why_not_written
from gradcascade.vocabulary import CASCADE_COLUMNS, REFUSAL_COLUMNS, polars_schema

VERSION = 2
"""Number of the tables' layout, kept in the file's ``user_version``."""

COLUMNS = polars_schema(CASCADE_COLUMNS)
"""Columns of the table of cascades, in order."""

SNAPSHOT = (*Name._fields, "span")
"""What a snapshot is called: the span tells updates of one step apart."""

IDENTITY = (*SNAPSHOT, "variant", "replicate")
"""What a cascade is called."""

KEY = (*IDENTITY, "content_hash", "layout_hash", "probe_hash", "seed")
"""What determines a cascade: measured once, never again. A span of 0 stands for none."""

REFUSED = ("quarantine", "gap", "unreadable", "unmeasurable")
"""Codes of the reasons for which a snapshot is not measured."""


class Contents(NamedTuple):
    """Hashes of what a snapshot holds; without a layout where the source does not know it."""

    content_hash: str
    layout_hash: str = ""


METRIC_COLUMNS = polars_schema(vocabulary.METRIC_COLUMNS)

# NULLs are distinct in a UNIQUE of SQLite, so a span is never NULL: 0 stands for none.
_SNAPSHOT = (
    "family TEXT NOT NULL, scale TEXT NOT NULL, run TEXT NOT NULL, step INTEGER NOT NULL, field TEXT NOT NULL, "
    "span INTEGER NOT NULL"
)
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS cascades (
  id INTEGER PRIMARY KEY, {_SNAPSHOT},
  variant TEXT NOT NULL, replicate INTEGER NOT NULL, n INTEGER NOT NULL, tau REAL,
  size INTEGER NOT NULL, duration INTEGER NOT NULL, ceiling INTEGER NOT NULL, activity TEXT,
  max_over_tau REAL, kurtosis REAL, zero_share REAL, source TEXT NOT NULL, revision TEXT NOT NULL,
  content_hash TEXT NOT NULL, layout_hash TEXT NOT NULL, probe_hash TEXT NOT NULL, seed INTEGER NOT NULL,
  seconds REAL,
  UNIQUE ({", ".join(KEY)})
);
CREATE TABLE IF NOT EXISTS contents (
  snapshot TEXT PRIMARY KEY, revision TEXT NOT NULL, content_hash TEXT NOT NULL, layout_hash TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS current (
  {_SNAPSHOT}, content_hash TEXT NOT NULL, layout_hash TEXT NOT NULL, conventions TEXT NOT NULL,
  PRIMARY KEY ({", ".join(SNAPSHOT)}, conventions)
);
CREATE TABLE IF NOT EXISTS refusals (
  {_SNAPSHOT}, code TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY ({", ".join(SNAPSHOT)})
);
CREATE TABLE IF NOT EXISTS metrics (
  family TEXT NOT NULL, scale TEXT NOT NULL, run TEXT NOT NULL, step INTEGER NOT NULL, metric TEXT NOT NULL,
  value REAL, PRIMARY KEY (family, scale, run, step, metric)
);
"""
_REFUSE = "INSERT OR REPLACE INTO refusals VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_NAMED = f"({', '.join(Name._fields)}) = (?, ?, ?, ?, ?)"

_ADD = f"INSERT INTO cascades ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))}) ON CONFLICT DO NOTHING"

_OTHERS = "AND span NOT IN (SELECT value FROM json_each(?))"
_LOG = logging.getLogger(__name__)


class Store:
    """Measurements of one study; the SQLite file is made if it does not exist."""

    def __init__(
        self,
        path: Path,
        migrated: Callable[[], None] | None = None,
        *,
        read_only: bool = False,
        journal: str = "auto",
    ) -> None:
        """Open the file; one of format 1 is migrated at the first write, after which ``migrated`` is called.

        ``journal`` is one of :data:`gradcascade.study.journal.JOURNALS`. With a rollback journal the file is copied
        into memory, and locked at the first write.
        """
        self.path = path
        self._migrated = migrated
        self._old = self._copied = False
        self._lock: Lock | None = None
        self._rolls_back, self._why_rollback = rolls_back(path, journal)
        self._closed: str | None = None
        """Why nothing can be written, if so."""
        with self._explained():
            if migration.version_of(path, VERSION) == migration.FIRST:
                self._old = True
                self._connection = reading.in_memory(path)
                try:
                    with self._open_transaction():
                        migration.migrate(self._connection, _SCHEMA, VERSION)
                except BaseException:
                    self._connection.close()
                    raise
            elif why := ("it was opened to be read" if read_only else reading.why_read_only(path)):
                self._read_only(why)
                if read_only:
                    self._connection.execute("BEGIN")  # one moment, whatever a writer adds
            elif self._rolls_back:
                self._copied = True
                self._read()
            else:
                self._connect()

    def _read_only(self, why: str) -> None:
        self._closed = why
        self._read()

    def _read(self) -> None:
        """Open the file to be read, or a copy of it; of one that is not there, or not begun, an empty one."""
        if self.path.is_file() and self.path.stat().st_size:
            self._connection = (reading.in_memory if self._rolls_back else reading.connect)(self.path)
            try:
                if self._check_version():
                    return
            except BaseException:
                self._connection.close()
                raise
            self._connection.close()
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.executescript(f"{_SCHEMA} PRAGMA user_version = {VERSION};")

    def _check_version(self) -> int:
        """Refuse the tables of another version; gives the number of tables."""
        found = self._connection.execute("PRAGMA user_version").fetchone()[0]
        tables = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and found not in (VERSION, migration.FIRST):
            raise InputError(
                f"{self.path} was written by another version of gradcascade (layout {found}, this one reads "
                f"{VERSION}); measure into a new folder, or use the version that wrote it"
            )
        return tables

    def _connect(self) -> None:
        lock = Lock(self.path)
        if self._rolls_back:
            if self._why_rollback:
                warnings.warn(
                    f"{self.path.parent} is on {self._why_rollback}, where SQLite's write-ahead log is not safe: "
                    "it is written with a rollback journal, by one process at a time",
                    JournalWarning,
                    stacklevel=4,
                )
            lock.take()
            self._lock = lock
        else:
            lock.refuse_if_held()
        try:
            self._open()
        except BaseException:
            self._unlock()
            raise

    def _unlock(self) -> None:
        if self._lock:
            self._lock.release()
        self._lock = None

    def _open(self) -> None:
        # An absolute path: SQLite may take "file:x" for an address instead of a name.
        address = self.path.absolute().as_uri()
        if self._rolls_back and os.name == "posix":
            address += (
                "?vfs=unix-none"  # locks of network file systems may hang, fail or do nothing: the file is held
            )
        self._connection = sqlite3.connect(address, uri=True, timeout=60, isolation_level=None)
        try:
            if self._rolls_back:
                self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            tables = self._check_version()
            self._connection.execute(f"PRAGMA journal_mode = {'TRUNCATE' if self._rolls_back else 'WAL'}")
            self._connection.execute("PRAGMA synchronous = FULL")
            if not tables:
                self._connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        except BaseException:
            self._connection.close()
            raise

    def _make_writable(self) -> None:
        """Migrate a store of format 1, in one transaction: killed on the way, it is still as it was.

        A store that can only be read is refused.
        """
        with self._explained():
            why = self._closed or (reading.why_read_only(self.path) if self._old else None)
        if why:
            raise InputError(
                f"the study {self.path.parent} can be read but not written ({why}); copy it to a folder where you "
                "may write and give that one"
            )
        if self._lock:
            self._lock.check()
        if self._copied:
            with self._explained():
                self._connection.close()
                self._connect()
            self._copied = False
        if not self._old:
            return
        with self._explained():
            self._connection.close()
            self._connect()
            copy = self.path.with_name(f"{self.path.stem}.format-{migration.FIRST}{self.path.suffix}")
            self._connection.execute("BEGIN IMMEDIATE")
            ours = self._connection.execute("PRAGMA user_version").fetchone()[0] == migration.FIRST
            self._connection.execute("COMMIT")
            if ours:  # else another process was first
                migration.keep_copy(self._connection, copy)
                with self._open_transaction("IMMEDIATE"):
                    if self._connection.execute("PRAGMA user_version").fetchone()[0] == migration.FIRST:
                        migration.migrate(self._connection, _SCHEMA, VERSION)
                _LOG.warning("%s is now of format %d; as it was, it is kept in %s", self.path, VERSION, copy.name)
            self._old = False
        if self._migrated:
            self._migrated()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
        self._unlock()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what SQLite and the system say into what a user can do."""
        try:
            yield
        except OSError as error:
            raise self._unreachable(error.strerror or str(error)) from None
        except sqlite3.DatabaseError as error:
            said, code = str(error), getattr(error, "sqlite_errorname", "")
            if code == "SQLITE_FULL":
                raise InputError(
                    f"there is no room left on the disk of {self.path}; free some and run the same command again "
                    "(everything measured so far is kept)"
                ) from None
            if code.startswith("SQLITE_IOERR"):  # SQLite keeps what the system said to itself
                raise self._unreachable(why_not_written(self.path.parent) or f"{said}, {code}") from None
            if "not a database" in said or "malformed" in said:  # SQLite says so too where a disk fails to read
                if why := why_not_read(self.path) or reading.why_whole(self.path):
                    raise self._unreachable(why) from None
                raise InputError(
                    f"{self.path} is not a store of cascades ({said}); restore it from a copy, or move it away"
                ) from None
            if code.startswith("SQLITE_CANTOPEN") and (why := why_not_written(self.path.parent)):
                raise self._unreachable(why) from None
            if isinstance(error, sqlite3.OperationalError):
                raise InputError(f"{self.path} cannot be used ({said}); check its folder and permissions") from None
            raise

    def _unreachable(self, why: str) -> InputError:
        return InputError(
            f"{self.path} could not be read or written ({why}); see to its disk, quota or file server and run the "
            "same command again (everything measured so far is kept)"
        )

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._explained():
            return self._connection.execute(query, values).fetchall()

    def _write(self, query: str, values: Sequence[Any] = ()) -> None:
        self._make_writable()
        self._rows(query, values)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._make_writable()
        with self._open_transaction():
            yield self._connection

    @contextmanager
    def _open_transaction(self, mode: str = "") -> Iterator[sqlite3.Connection]:
        with self._explained():
            self._connection.execute(f"BEGIN {mode}")
            try:
                yield self._connection
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _table(self, name: str, schema: dict[str, Any], order: str = "rowid") -> pl.DataFrame:
        columns = ", ".join("NULLIF(span, 0)" if column == "span" else column for column in schema)
        return pl.DataFrame(self._rows(f"SELECT {columns} FROM {name} ORDER BY {order}"), schema=schema, orient="row")

    def keys(self) -> set[tuple[Any, ...]]:
        """Keys of everything measured, as tuples in the order of :data:`KEY`."""
        return set(self._rows(f"SELECT {', '.join(KEY)} FROM cascades"))

    def add(self, row: dict[str, Any]) -> None:
        """Keep one cascade, in one transaction; a cascade that is there already stays as it is."""
        self._write(_ADD, _stored(row))

    def keep(
        self,
        rows: Sequence[dict[str, Any]],
        name: Name,
        span: int | None,
        contents: Contents,
        conventions: str,
        spans: Collection[int | None] = (),
    ) -> None:
        """Keep all cascades of a snapshot as what it is now, in one transaction; else as :meth:`set_current`."""
        with self._transaction() as connection:
            connection.executemany(_ADD, (_stored(row) for row in rows))
            _note(connection, name, span, contents, conventions, spans)

    def take_up(
        self, cascades: pl.DataFrame, current: pl.DataFrame, refusals: pl.DataFrame, metrics: pl.DataFrame
    ) -> None:
        """Keep whole tables, of the columns that this store gives, in one transaction."""
        span = pl.col("span").fill_null(0)
        marks = "?, ?, ?, ?, ?, ?, ?, ?"
        with self._transaction() as connection:
            connection.executemany(_ADD, (_stored(row) for row in cascades.iter_rows(named=True)))
            noted = current.select(*SNAPSHOT, "content_hash", "layout_hash", "conventions").with_columns(span)
            connection.executemany(f"INSERT OR REPLACE INTO current VALUES ({marks}, ?)", noted.rows())
            refused = refusals.select(*SNAPSHOT, "code", "reason").with_columns(span)
            connection.executemany(_REFUSE, refused.rows())
            external = metrics.select(list(METRIC_COLUMNS)).rows()
            connection.executemany("INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, ?, ?, ?)", external)

    def cascades(self) -> pl.DataFrame:
        """Every cascade ever measured, in the order of measuring."""
        table = self._table("cascades", {**COLUMNS, "activity": pl.String(), "ceiling": pl.Int64()}, "id")
        return table.with_columns(
            pl.col("activity").str.json_decode(pl.List(pl.Int64)), pl.col("ceiling").cast(pl.Boolean)
        )

    def families(self) -> set[str]:
        """Names of the families of which anything was measured."""
        return {row[0] for row in self._rows("SELECT DISTINCT family FROM cascades")}

    def contents(self, snapshot: str, revision: str) -> Contents | None:
        """Contents of a snapshot that was read before at this revision."""
        query = "SELECT content_hash, layout_hash FROM contents WHERE snapshot = ? AND revision = ?"
        rows = self._rows(query, (snapshot, revision))
        return Contents(*rows[0]) if rows else None

    def remember_contents(self, snapshot: str, revision: str, contents: Contents) -> None:
        """Remember the contents of a snapshot, so that it need not be read again."""
        self._write("INSERT OR REPLACE INTO contents VALUES (?, ?, ?, ?)", (snapshot, revision, *contents))

    def set_current(
        self, name: Name, span: int | None, contents: Contents, conventions: str, spans: Collection[int | None] = ()
    ) -> None:
        """Note a snapshot's contents now; it is no longer refused, and spans other than ``spans`` are forgotten."""
        with self._transaction() as connection:
            _note(connection, name, span, contents, conventions, spans)

    def current(self) -> pl.DataFrame:
        """Contents that every snapshot had when it was seen last, and the conventions it was read by."""
        names = (*SNAPSHOT, "content_hash", "layout_hash")
        return self._table("current", {**{name: COLUMNS[name] for name in names}, "conventions": pl.String()})

    def seen(self) -> list[tuple[Name, int | None, Contents, str, str]]:
        """What every snapshot was read from when seen last: name, span, contents, conventions, source."""
        keys = (*SNAPSHOT, "content_hash")
        rows = self._rows(
            f"SELECT {', '.join(keys)}, current.layout_hash, conventions, max(source) FROM current JOIN cascades "
            f"USING ({', '.join(keys)}) GROUP BY {', '.join(keys)}, conventions"
        )
        return [(Name(*row[:5]), row[5] or None, Contents(*row[6:8]), *row[8:]) for row in rows]

    def refuse(
        self, name: Name, span: int | None, code: str, reason: str, spans: Collection[int | None] = ()
    ) -> None:
        """Remember why a snapshot could not be measured; the code is one of :data:`REFUSED`."""
        kept = json.dumps(sorted(other or 0 for other in spans))
        with self._transaction() as connection:
            connection.execute(f"DELETE FROM refusals WHERE {_NAMED} {_OTHERS}", (*name, kept))
            connection.execute(_REFUSE, (*name, span or 0, code, reason))

    def set_aside(self, name: Name, span: int | None, code: str, reason: str) -> None:
        """Refuse a snapshot whatever was measured of it before: it has no current contents any more."""
        with self._transaction() as connection:
            connection.execute(f"DELETE FROM current WHERE {_NAMED}", name)
            connection.execute(_REFUSE, (*name, span or 0, code, reason))

    def refusals(self) -> pl.DataFrame:
        """Snapshots that could not be measured, with the reason."""
        return self._table("refusals", polars_schema(REFUSAL_COLUMNS))

    def put_metrics(self, table: pl.DataFrame) -> None:
        """Keep external performance numbers; newer values replace older ones. Without a run they are of run 0."""
        if "run" not in table.columns:
            table = table.with_columns(run=pl.lit("0"))
        rows = table.select(list(METRIC_COLUMNS)).rows()
        with self._transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, ?, ?, ?)", rows)

    def metrics(self) -> pl.DataFrame:
        """External performance numbers."""
        return self._table("metrics", METRIC_COLUMNS, "family, scale, run, step, metric")


def _stored(row: dict[str, Any]) -> list[Any]:
    """The values of a cascade as the table has them, in the order of :data:`COLUMNS`."""
    activity = None if row["activity"] is None else json.dumps([int(count) for count in row["activity"]])
    values = {**row, "activity": activity, "span": row["span"] or 0}
    return [values[name] for name in COLUMNS]


def _note(
    connection: sqlite3.Connection,
    name: Name,
    span: int | None,
    contents: Contents,
    conventions: str,
    spans: Collection[int | None],
) -> None:
    """Within a transaction, what :meth:`Store.set_current` says."""
    kept = {other or 0 for other in (*spans, span)}
    listed, others = (json.dumps(sorted(found)) for found in (kept, kept - {span or 0}))
    execute = connection.execute
    execute(f"DELETE FROM current WHERE {_NAMED} {_OTHERS} AND conventions = ?", (*name, listed, conventions))
    execute(f"DELETE FROM refusals WHERE {_NAMED} {_OTHERS}", (*name, others))
    row = (*name, span or 0, *contents, conventions)
    execute("INSERT OR REPLACE INTO current VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
