"""The tensors of one checkpoint, of whatever kind it is."""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Iterable
from pathlib import Path

from gradcascade.errors import InputError
from gradcascade.memory import on_release
from gradcascade.sources.checkpoints import CHECKPOINTS
from gradcascade.sources.checkpoints.base import Checkpoint
from gradcascade.sources.checkpoints.huggingface import INDEXED, WHOLE
from gradcascade.sources.optimizer_files import BESIDE, state_within
from gradcascade.sources.optimizer_state import OptimizerState
from gradcascade.sources.stored import Mark, StoredTensor, mark_of
from gradcascade.sources.tensors import open_tensors
from gradcascade.sources.trees.base import TreeFile

Signature = tuple[Mark | None, ...]
"""Marks of every file of a checkpoint; None for one that is not there."""


def opening_file(names: Iterable[str]) -> str | None:
    """Of the files of a step, the one that opens its checkpoint, by the order of the kinds; None if none does."""
    names = set(names)
    return next((found for kind in CHECKPOINTS.values() if (found := kind.opening_file(names))), None)


def _kind(path: Path) -> Checkpoint | None:
    """The kind of the checkpoint that a file opens; None for a file of tensors of no known kind."""
    places = (path.name, f"{path.parent.name}/{path.name}")
    return next((kind for kind in CHECKPOINTS.values() if kind.opening_file(places)), None)


def checkpoint_files(files: Iterable[TreeFile], folder: str = "") -> list[TreeFile]:
    """Of the files in a listing, those of the checkpoint in a folder: one, or an index and its shards, or parts."""
    start = f"{folder}/" if folder else ""
    named = {file.name: file for file in files if file.path == start + file.name}
    opening = opening_file(named)
    if opening is None:
        return []
    kind = _kind(Path(opening))
    if kind and kind.beside:
        return [named[opening], *(named[name] for name in sorted(fnmatch.filter(named, kind.beside)))]
    if opening not in INDEXED:
        return [named[opening]]
    stem, _, suffix = opening.removesuffix(".index.json").rpartition(".")
    shard = re.compile(rf"{stem}-[0-9]+-of-[0-9]+\.{suffix}")
    return [named[opening], *(file for name, file in sorted(named.items()) if shard.fullmatch(name))]


def open_checkpoint(path: Path) -> dict[str, StoredTensor]:
    """Describe the tensors of a checkpoint in file order; of shards, shard by shard in the order of their names.

    The last two checkpoints stay open, so that a pass over adjacent pairs opens each once; their values are
    mapped, and cost memory only while they are read.
    """
    return _opened(path, signature(path))


@functools.lru_cache(maxsize=2)
def _opened(path: Path, signature: Signature) -> dict[str, StoredTensor]:
    return described(path)


def described(path: Path) -> dict[str, StoredTensor]:
    """As `open_checkpoint`, without keeping the checkpoint open."""
    kind = _kind(path)
    return kind.open(path) if kind else open_tensors(path)


def open_state(path: Path) -> OptimizerState:
    """The optimizer's state that belongs to a checkpoint, without reading values; refused if it is not there."""
    return _opened_state(path, tuple(mark_of(file) for file in state_files(path)))


@functools.lru_cache(maxsize=1)
def _opened_state(path: Path, signature: Signature) -> OptimizerState:
    kind = _kind(path)
    found = kind.state(path) if kind else state_within(path)
    if found is None:
        raise InputError(
            f"{path} comes without an optimizer's state, in it or beside it ({', '.join(BESIDE)}), from which this "
            "kind of field is made; copy it there, or leave the kind out of --fields"
        )
    return found


def state_files(path: Path) -> tuple[Path, ...]:
    """The files of a checkpoint and of its optimizer's state, those that exist; never fails."""
    kind = _kind(path)
    return tuple(dict.fromkeys((*files_of(path), *(kind.state_files(path) if kind else ()))))


@on_release
def close_checkpoints() -> None:
    """Close the checkpoints that `open_checkpoint` holds open; until then a deleted one keeps its place on disk."""
    _opened.cache_clear()
    _opened_state.cache_clear()


def files_of(path: Path) -> tuple[Path, ...]:
    """The files that a checkpoint is read from, those that exist.

    Never fails: what is wrong with an index or its shards is said when the checkpoint is opened. A shard that its
    name leads out of the folder is not among them, and is not looked at; one that is a link is, for a tree to check.
    """
    kind = _kind(path)
    return kind.files(path) if kind else (path,)


def signature(path: Path) -> Signature:
    """Changes whenever a file of a checkpoint is replaced, an index's shards included."""
    return tuple(mark_of(file) for file in files_of(path))


__all__ = [
    "INDEXED",
    "WHOLE",
    "Signature",
    "checkpoint_files",
    "close_checkpoints",
    "described",
    "files_of",
    "open_checkpoint",
    "open_state",
    "opening_file",
    "signature",
    "state_files",
]
