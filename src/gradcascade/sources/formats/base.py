"""What a format declares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gradcascade.sources.stored import StoredTensor


@dataclass(frozen=True)
class Format:
    """One way to hold tensors in a file."""

    name: str  # as messages call it
    order: float  # formats are asked in ascending order whether a file is theirs
    suffixes: tuple[str, ...]  # endings of names that promise this format
    matches: Callable[[bytes, int], bool]  # whether a file is of this format, from its first 64 bytes and its size
    open: Callable[[Path], dict[str, StoredTensor]]
    """Describes the tensors in file order without reading their values; nothing in a file may be executed."""
