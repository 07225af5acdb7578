"""Files of a study that are replaced as a whole."""

from __future__ import annotations

import tempfile
from pathlib import Path

SCRATCH = ".writing-"
"""How the names of folders begin that exist while a file is written; an interruption may leave one."""


def write_whole(path: Path, text: str) -> None:
    """Replace a file in an existing folder as a whole; if that fails (OSError), an earlier file is as it was."""
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=path.parent) as folder:
        scratch = Path(folder) / path.name
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)
