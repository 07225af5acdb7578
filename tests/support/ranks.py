"""Runs a script as two ranks of one training, each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path


def run_ranks(script: Path, root: Path, *words: str, timeout: float = 150) -> None:
    """Run the script with the folder and its rank; both must end well, or what they printed is the failure."""
    path = os.pathsep.join(filter(None, (str(script.parent), os.environ.get("PYTHONPATH"))))
    ranks = [
        subprocess.Popen(
            [sys.executable, str(script), str(root), str(rank), *words],
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        said = [process.communicate(timeout=timeout)[0] for process in ranks]
    finally:
        for process in ranks:
            process.kill()
    assert [process.returncode for process in ranks] == [0, 0], said[0][-3000:] + said[1][-3000:]
