"""What a kind of checkpoint declares."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from gradcascade.errors import InputError
from gradcascade.sources.optimizer_files import files_beside, state_beside
from gradcascade.sources.optimizer_state import OptimizerState
from gradcascade.sources.stored import StoredTensor


@dataclass(frozen=True)
class Checkpoint:
    """One way to hold a checkpoint in the folder of a step."""

    name: str
    order: float  # where a folder holds several, the first of them is read
    opening: tuple[str, ...]
    """Shell patterns of the file that opens it, as seen from the step's folder; the first that is there counts."""
    open: Callable[[Path], dict[str, StoredTensor]]
    """Describes the tensors in file order without reading values; refuses what is not the whole model."""
    files: Callable[[Path], tuple[Path, ...]] = lambda path: (path,)  # every file it is read from; never fails
    state: Callable[[Path], OptimizerState | None] = state_beside  # the optimizer's; None if it is not there
    state_files: Callable[[Path], tuple[Path, ...]] = files_beside  # further files that it may be read from
    beside: str = ""
    """Shell pattern of files in the folder of the one that opens it, without which it is not whole."""
    readable: bool = True  # whether it can be opened; others are recognised to say what to do

    def opening_file(self, names: Iterable[str]) -> str | None:
        """Of the files of a step, the one that opens this kind of checkpoint."""
        names = sorted(names)
        for pattern in self.opening:
            if found := [name for name in names if fnmatch.fnmatchcase(name, pattern)]:
                return found[0]
        return None


def refused(reason: str) -> Callable[[Path], dict[str, StoredTensor]]:
    """Opens nothing, and says why and what to do; the sentence begins with the file."""

    def refuse(path: Path) -> dict[str, StoredTensor]:
        raise InputError(f"{path} {reason}")

    return refuse
