"""Kills the quick experiment ten times at random moments, and compares its table with that of one left alone.

    python benchmarks/experiment_kills.py [--kills 10] [--workers 2] [--seed 0] [--out FOLDER]

Each time the whole process group is ended by SIGKILL, so that nothing can be tidied up; then the same command
continues. Everything but the seconds must be equal, bit for bit.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
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
        moments = random.Random(asked.seed)
        killed = folder / "killed"
        done = 0
        for number in range(asked.kills):
            after = moments.uniform(0.05, 0.4) * whole
            process = subprocess.Popen(
                command(killed, asked.workers),
                start_new_session=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            try:
                _, said = process.communicate(timeout=after)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                done += 1
                print(f"kill {number + 1} after {after:.0f} s: {cascades(killed)} cascades are kept", flush=True)
            else:
                print(f"finished before kill {number + 1} (exit code {process.returncode}) {said.decode()[-300:]}")
                break
        subprocess.run(command(killed, asked.workers), check=True, capture_output=True)
        same = tables(killed) == tables(folder / "alone")
        print(f"after {done} kills: {cascades(killed)} cascades, {'equal' if same else 'DIFFERENT'}")
        sys.exit(0 if same else 1)


def cascades(out: Path) -> int:
    """How many cascades the study has by now."""
    if not (out / "study" / "plan.toml").is_file():
        return 0
    with Study.open(out / "study", read_only=True) as study:
        return study.cascades().height


def tables(out: Path) -> tuple[list, list]:
    """Everything measured, but for the time it took."""
    with Study.open(out / "study", read_only=True) as study:
        return study.cascades().drop("seconds").rows(), sorted(study.metrics().rows())


if __name__ == "__main__":
    main()
