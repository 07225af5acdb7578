"""Files of a study that are replaced as a whole."""

from __future__ import annotations

import tempfile
from pathlib import Path

SCRATCH = ".writing-"
"""How the names of folders begin that exist while a file is written; an interruption may leave one."""


def write_whole(path: Path, text: str) -> None:
    """Replace a file as a whole, or not at all.

    Parameters
    ----------
    path : pathlib.Path
        The file; its folder exists.
    text : str
        What it shall hold.

    Raises
    ------
    OSError
        If it cannot be written; an earlier file is then as it was.
    """
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=path.parent) as folder:
        scratch = Path(folder) / path.name
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)
