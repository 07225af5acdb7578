"""Files that fail and a clock that is set, in a process that was started for it; the C of it lies beside this file.

A process started with :func:`environment` can have its files fail (:func:`fail`) and its clock set (:func:`shift`).
"""

import ctypes
import errno
import os
import shutil
import subprocess
from pathlib import Path

WRITES, SYNCS, READS, NAMES, CREATES = 1, 2, 4, 8, 16

FAILURES = {
    "ENOSPC": (errno.ENOSPC, WRITES | CREATES),
    "EDQUOT": (errno.EDQUOT, WRITES | CREATES),
    "EIO": (errno.EIO, WRITES | SYNCS | READS),
    "ESTALE": (errno.ESTALE, WRITES | SYNCS | READS | NAMES),
}
"""What the system says, and the calls that it says it to."""


def compiler() -> str | None:
    return shutil.which("cc") or shutil.which("gcc")


def compiled(folder: Path) -> Path:
    library = folder / "failing_files.so"
    source = Path(__file__).with_suffix(".c")
    subprocess.run([compiler() or "cc", "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def environment(library: Path) -> dict[str, str]:
    return {**os.environ, "LD_PRELOAD": str(library)}


def fail(folder: Path | str, kind: str, after: int = 0) -> None:
    """From now on, what lies beneath a folder fails in one way after so many calls that go well."""
    number, which = FAILURES[kind]
    _loaded().fail_files(os.fsencode(Path(folder).resolve()), number, which, ctypes.c_long(after))


def count(folder: Path | str, kind: str) -> None:
    """Nothing fails, but the calls of a kind are counted."""
    _loaded().fail_files(os.fsencode(Path(folder).resolve()), 0, FAILURES[kind][1], ctypes.c_long(0))


def counted() -> int:
    return _loaded().counted_calls()


def heal() -> None:
    _loaded().fail_files(b"", 0, 0, ctypes.c_long(0))


def shift(seconds: int) -> None:
    """Set the wall clock of this process off by so many seconds."""
    _loaded().shift_clock(ctypes.c_long(seconds))


def _loaded() -> ctypes.CDLL:
    library = ctypes.CDLL(None)
    library.counted_calls.restype = ctypes.c_long
    return library
