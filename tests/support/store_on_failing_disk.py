"""Writes a store while its disk fails, at every EVERYth call anew; prints what became of it. See failing_files.py.

FOLDER JOURNAL EVERY, in a process that was started with its environment; 1 tries every call.
"""

import json
import shutil
import sys
from pathlib import Path

import failing_files
from stored_rows import row

from gradcascade.errors import InputError
from gradcascade.study.store import Store

ROWS = [row(step=step, activity=list(range(700))) for step in range(3)]


def write(path: Path, journal: str, kept: list[int]) -> None:
    """Add all rows, and note which were acknowledged."""
    with Store(path, journal=journal) as store:
        for one in ROWS:
            store.add(one)
            kept.append(one["step"])


def steps(path: Path) -> list[int]:
    with Store(path, read_only=True) as store:
        return store.cascades()["step"].to_list()


def try_all(folder: Path, kind: str, journal: str, every: int) -> dict:
    path = folder / "cascades.sqlite"
    found = {"calls": 0, "failed": 0, "cut": 0, "lost": [], "doubled": [], "incomplete": [], "said": set()}
    folder.mkdir()
    failing_files.count(folder, kind)
    write(path, journal, [])
    found["calls"] = failing_files.counted()
    failing_files.heal()
    for after in range(0, found["calls"], every):
        shutil.rmtree(folder)
        folder.mkdir()
        kept: list[int] = []
        failing_files.fail(folder, kind, after)
        try:
            write(path, journal, kept)
        except InputError as error:
            found["failed"] += 1
            found["said"].add(str(error).replace(str(folder), "FOLDER"))
        failing_files.heal()
        there = steps(path)
        found["cut"] += 0 < len(there) < len(ROWS)
        if set(kept) - set(there):
            found["lost"].append(after)
        write(path, journal, [])
        again = steps(path)
        if len(again) != len(set(again)):
            found["doubled"].append(after)
        if sorted(again) != [one["step"] for one in ROWS]:
            found["incomplete"].append(after)
    return {**found, "said": sorted(found["said"])}


if __name__ == "__main__":
    base, journal, every = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    print(json.dumps({kind: try_all(base / kind, kind, journal, every) for kind in failing_files.FAILURES}))
