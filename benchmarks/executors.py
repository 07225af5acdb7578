"""What executors gain on one machine: one process, processes and Dask on the same snapshots, and the same table.

python benchmarks/executors.py [--width 384] [--steps 24] [--workers 2] [--repetitions 3]

Writes gradients of Pico's shape as benchmarks/protocol.py does, measures each with N0, N1 and N2, and asserts that
all tables are equal but for the seconds. Every way is run once before it is timed; workers are started anew each
time, which is part of the time.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import polars as pl
from protocol import NULLS, write_run

import gradcascade as gc
from gradcascade.study.plan import FamilyPlan, NullPlan, Plan


def measured(folder: Path, **options: Any) -> tuple[float, pl.DataFrame]:
    """Seconds of the clock, and the table."""
    families = (FamilyPlan(name="pico", path=str(folder), fields=("gradient",)),)
    plan = Plan(families=families, nulls=NullPlan(kinds=NULLS))
    with tempfile.TemporaryDirectory(dir=folder.parent) as place, gc.Study.create(f"{place}/study", plan) as study:
        begun = time.perf_counter()
        gc.run(study, **options)
        return time.perf_counter() - begun, study.cascades().drop("seconds")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    count = options.workers
    ways: dict[str, dict[str, Any]] = {
        "serial, 1 thread": {"executor": "serial", "threads": 1},
        f"serial, {count} threads": {"executor": "serial", "threads": count},
        f"{count} processes": {"workers": count, "threads": count},
        f"Dask, {count} workers": {"workers": count, "scheduler": "local"},
    }
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "runs"
        write_run(folder / f"pico-{options.width}", options.width, options.steps)
        best: dict[str, float] = {}
        tables = {name: measured(folder, **way)[1] for name, way in ways.items()}
        for _ in range(options.repetitions):
            for name, way in ways.items():
                best[name] = min(best.get(name, float("inf")), measured(folder, **way)[0])
    first, *others = tables.values()
    assert all(other.equals(first) for other in others), "the tables differ"
    entries = int(first["n"].sum())
    base = next(iter(best.values()))
    print(f"{first.height} cascades of {first['n'][0]:,} entries; tables equal but for the seconds")
    print("way                     seconds  million entries/s  gain")
    for name, seconds in best.items():
        print(f"{name:22}  {seconds:7.2f}  {entries / seconds / 1e6:17.1f}  {base / seconds:4.2f}")


if __name__ == "__main__":
    main()
