"""Turns a study into one as format 1 wrote it."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

SCHEMA = """
CREATE TABLE cascades (
  id INTEGER PRIMARY KEY,
  family TEXT NOT NULL, scale TEXT NOT NULL, step INTEGER NOT NULL, field TEXT NOT NULL,
  variant TEXT NOT NULL, replicate INTEGER NOT NULL, n INTEGER NOT NULL, tau REAL NOT NULL,
  size INTEGER NOT NULL, duration INTEGER NOT NULL, ceiling INTEGER NOT NULL, activity TEXT NOT NULL,
  max_over_tau REAL, kurtosis REAL, zero_share REAL NOT NULL, source TEXT NOT NULL, revision TEXT NOT NULL,
  content_hash TEXT NOT NULL, probe_hash TEXT NOT NULL, seed INTEGER NOT NULL, seconds REAL NOT NULL,
  UNIQUE (family, scale, step, field, variant, replicate, content_hash, probe_hash, seed)
);
CREATE TABLE contents (
  snapshot TEXT PRIMARY KEY, revision TEXT NOT NULL, content_hash TEXT NOT NULL
);
CREATE TABLE current (
  family TEXT NOT NULL, scale TEXT NOT NULL, step INTEGER NOT NULL, field TEXT NOT NULL,
  content_hash TEXT NOT NULL, conventions TEXT NOT NULL,
  PRIMARY KEY (family, scale, step, field, conventions)
);
CREATE TABLE refusals (
  family TEXT NOT NULL, scale TEXT NOT NULL, step INTEGER NOT NULL, field TEXT NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY (family, scale, step, field)
);
CREATE TABLE metrics (
  family TEXT NOT NULL, scale TEXT NOT NULL, step INTEGER NOT NULL, metric TEXT NOT NULL, value REAL,
  PRIMARY KEY (family, scale, step, metric)
);
"""
NEW = {"run", "span", "layout_hash", "code"}


def as_format_1(study: Path) -> None:
    path, old = study / "cascades.sqlite", study / "old.sqlite"
    with closing(sqlite3.connect(old)) as target, closing(sqlite3.connect(path)) as source:
        target.executescript(SCHEMA)
        for table in ("cascades", "contents", "current", "refusals", "metrics"):
            names = [row[1] for row in source.execute(f"PRAGMA table_info({table})") if row[1] not in NEW]
            for row in source.execute(f"SELECT {', '.join(names)} FROM {table}").fetchall():
                if table == "contents":
                    scale, _run, step, field, _span, reading = json.loads(row[0])
                    row = (json.dumps([scale, step, field, reading], sort_keys=True), *row[1:])
                places = ", ".join("?" * len(row))
                target.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})", row)
        target.execute("PRAGMA user_version = 1")
        target.commit()
        target.execute("PRAGMA journal_mode = WAL")
    old.replace(path)
    for name in ("plan.toml", "provenance.json"):
        text = (study / name).read_text().replace("format = 2", "format = 1").replace('"format": 2', '"format": 1')
        (study / name).write_text(text)
