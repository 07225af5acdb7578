"""Studies of format 1: they are read as they are, and migrated to format 2 at the first write."""

from __future__ import annotations

import json
import re
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from gradcascade.sources.naming import step_of
from gradcascade.study import reading

FIRST = 1
"""Version of the oldest store that can be read."""

_OLD = ("cascades", "contents", "current", "refusals", "metrics")
_CODES = {"in quarantine: ": "quarantine", "the checkpoint of step ": "gap"}
"""Beginnings of the sentences that format 1 kept in place of codes."""


def version_of(path: Path, newest: int) -> int | None:
    """Version of a store, where there is one, without opening it as a database unless it has a log."""
    try:
        with path.open("rb") as file:
            header = file.read(64)
    except OSError:
        return None
    found = int.from_bytes(header[60:64], "big") if header.startswith(b"SQLite format 3") else None
    if found != newest and reading.log_of(path):  # after a kill the version may stand in the log alone
        with closing(reading.in_memory(path)) as copy:
            return copy.execute("PRAGMA user_version").fetchone()[0]
    return found


def keep_copy(connection: sqlite3.Connection, copy: Path) -> None:
    """Copy an open store to a file that is there whole or not at all; one that is there already stays."""
    if copy.exists():
        return
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=copy.parent) as folder:
        scratch = Path(folder) / copy.name
        with closing(sqlite3.connect(scratch)) as target:
            connection.backup(target)
        scratch.replace(copy)


def migrate(connection: sqlite3.Connection, schema: str, version: int) -> None:
    """Bring the tables of format 1 to those of ``schema``, within the transaction that is open."""
    execute = connection.execute
    execute("ALTER TABLE cascades RENAME TO old_cascades")
    for name in _OLD[1:]:
        execute(f"ALTER TABLE {name} RENAME TO old_{name}")
    for statement in schema.split(";"):
        execute(statement)
    spans = _fill_cascades(connection)
    for family, scale, step, field, digest, conventions in execute("SELECT * FROM old_current").fetchall():
        span = spans.get((family, scale, step, field, digest))
        if span is not None:  # of contents without a cascade nothing is lost: they are noted again when measured
            row = (family, scale, "0", step, field, span, digest, "", conventions)
            execute("INSERT INTO current VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    for snapshot, revision, digest in execute("SELECT * FROM old_contents").fetchall():
        scale, step, field, reading = json.loads(snapshot)
        span = spans.get((reading["name"], scale, step, field, digest))
        if span is not None:
            named = json.dumps([scale, "0", step, field, span or None, reading], sort_keys=True)
            execute("INSERT INTO contents VALUES (?, ?, ?, '')", (named, revision, digest))
    for family, scale, step, field, reason in execute("SELECT * FROM old_refusals").fetchall():
        code = next((code for words, code in _CODES.items() if reason.startswith(words)), "unmeasurable")
        row = (family, scale, "0", step, field, 0, code, reason)
        execute("INSERT INTO refusals VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    execute("INSERT INTO metrics SELECT family, scale, '0', step, metric, value FROM old_metrics")
    for name in _OLD:
        execute(f"DROP TABLE old_{name}")
    execute(f"PRAGMA user_version = {version}")


def _fill_cascades(connection: sqlite3.Connection) -> dict[tuple[Any, ...], int]:
    """Copy the cascades; gives the span of each snapshot by name and contents, 0 for gradients."""
    spans: dict[tuple[Any, ...], int] = {}
    names = [row[1] for row in connection.execute("PRAGMA table_info(old_cascades)")]
    query = (
        f"INSERT INTO cascades ({', '.join(names)}, run, span, layout_hash) VALUES ({'?, ' * len(names)}'0', ?, '')"
    )
    for row in connection.execute("SELECT * FROM old_cascades ORDER BY id").fetchall():
        found = dict(zip(names, row, strict=True))
        steps = steps_of(found["source"])
        span = abs(steps[1] - steps[0]) if steps and found["field"] == "update" else 0
        spans[tuple(found[name] for name in ("family", "scale", "step", "field", "content_hash"))] = span
        connection.execute(query, (*row, span))
    return spans


def steps_of(source: str) -> tuple[int, int] | None:
    """Steps of both checkpoints, the earlier first, from a source as in ``owner/name: step20 minus step10``."""
    steps = [_last_step(side) for side in source.split(" minus ")]
    if len(steps) != 2 or steps[0] is None or steps[1] is None:
        return None
    return steps[1], steps[0]


def _last_step(path: str) -> int | None:
    steps = [step for part in re.split(r"[/: ]", path) if (step := step_of(part)) is not None]
    return steps[-1] if steps else None
