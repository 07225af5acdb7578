"""Files that are either whole or not there, so that a killed run can continue from what lies on disk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gradcascade.errors import InputError

SCRATCH = ".writing-"
"""How the names of folders begin that exist while a file is written; an interruption may leave one."""


@contextmanager
def staged(path: Path, run: Path) -> Iterator[Path]:
    """Yield a path to write to; when the block ends well the file appears at ``path`` in one step.

    The staged file has the final name, in a hidden folder of the run, because ``torch.save`` writes the stem of the
    name into the file. A disk that refuses, for example because it is full, is an InputError.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=run))
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}); choose a folder where you may write"
        ) from None
    try:
        yield folder / path.name
        (folder / path.name).replace(path)
    except (OSError, RuntimeError) as error:  # torch.save reports a full disk as RuntimeError, safetensors as OSError
        free = shutil.disk_usage(run).free / 1e6
        raise InputError(
            f"{path} could not be written with {free:,.0f} MB free ({str(error).splitlines()[0]}); "
            "free some disk space and run the same command again"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_whole(path: Path, text: str) -> None:
    """Replace a file in an existing folder as a whole; where that raises, an earlier file is as it was."""
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=path.parent) as folder:
        scratch = Path(folder) / path.name
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)


def sweep(run: Path) -> None:
    """Remove what a killed process left half written in the folder ``run``."""
    for folder in run.glob(f"{SCRATCH}*"):
        shutil.rmtree(folder, ignore_errors=True)
