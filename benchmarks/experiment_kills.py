"""Kills the quick experiment ten times at random moments, and compares its table with that of one left alone.

    python benchmarks/experiment_kills.py [--kills 10] [--workers 2] [--seed 0] [--out FOLDER]

The first kill comes while rates are tried, the others up to a second after a random number of cascades is kept, so
that they are spread over the whole. Each time the process group is ended by SIGKILL, so that nothing can be tidied
up; then the same command continues. Everything but the seconds must be equal, bit for bit.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from gradcascade.study.study import Study


def command(out: Path, workers: int) -> list[str]:
    """The experiment that is killed."""
    asked = ["experiment", "--quick", "--out", str(out), "--workers", str(workers)]
    return [sys.executable, "-m", "gradcascade", *asked]


def main() -> None:
    """Run, kill, compare."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=10)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--out", type=Path, default=None)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.out or Path(scratch)
        begun = time.monotonic()
        subprocess.run(command(folder / "alone", asked.workers), check=True, capture_output=True)
        whole = time.monotonic() - begun
        print(f"left alone: {whole:.0f} s", flush=True)
        total = cascades(folder / "alone")
        moments = random.Random(asked.seed)
        killed = folder / "killed"
        numbers = [0, *sorted(moments.randrange(1, total) for _ in range(asked.kills - 1))]
        for number, enough in enumerate(numbers, 1):
            process = subprocess.Popen(
                command(killed, asked.workers),
                start_new_session=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for line in process.stderr or ():
                if line.startswith(("tuning", "checking", "runs")):  # it is under way
                    break
            while cascades(killed) < enough and process.poll() is None:
                time.sleep(0.1)
            time.sleep(moments.uniform(0, 1))
            if process.poll() is not None:
                sys.exit(f"it ended by itself before kill {number}, with exit code {process.returncode}")
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            print(f"kill {number}: {cascades(killed)} of {total} cascades are kept", flush=True)
        subprocess.run(command(killed, asked.workers), check=True, capture_output=True)
        same = tables(killed) == tables(folder / "alone")
        print(f"after {asked.kills} kills: {cascades(killed)} cascades, {'equal' if same else 'DIFFERENT'}")
        sys.exit(0 if same else 1)


def cascades(out: Path) -> int:
    """How many cascades are kept by now."""
    path = out / "study" / "cascades.sqlite"
    if not path.is_file():
        return 0
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=60)) as store:
        try:
            return store.execute("SELECT count(*) FROM cascades").fetchone()[0]
        except sqlite3.OperationalError:  # the table is not yet there
            return 0


def tables(out: Path) -> tuple[list, list]:
    """Everything measured, but for the time it took."""
    with Study.open(out / "study", read_only=True) as study:
        return study.cascades().drop("seconds").rows(), sorted(study.metrics().rows())


if __name__ == "__main__":
    main()
