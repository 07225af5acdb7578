"""The tensors of one checkpoint: one file, or shards with an index."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable
from pathlib import Path

from gradcascade.errors import InputError
from gradcascade.memory import on_release
from gradcascade.sources.stored import MAX_HEADER, StoredTensor, mapped, shown
from gradcascade.sources.tensors import open_tensors
from gradcascade.sources.trees.base import TreeFile
from gradcascade.sources.trees.local import inside

WHOLE = ("model.safetensors", "pytorch_model.bin")
INDEXED = tuple(f"{name}.index.json" for name in WHOLE)

_AGAIN = "write or download the checkpoint again"

Signature = tuple[tuple[str, int, int, int] | None, ...]
"""Name, inode, size and time of change of every file of a checkpoint; None for one that is not there."""


def opening_file(names: Iterable[str]) -> str | None:
    """Of the files in a folder, the one that opens its checkpoint, safetensors before pickles; None if none does."""
    names = set(names)
    return next((name for pair in zip(WHOLE, INDEXED, strict=True) for name in pair if name in names), None)


def checkpoint_files(files: Iterable[TreeFile], folder: str = "") -> list[TreeFile]:
    """Of the files in a listing, those of the checkpoint in a folder: one, or an index and its shards."""
    start = f"{folder}/" if folder else ""
    named = {file.name: file for file in files if file.path == start + file.name}
    opening = opening_file(named)
    if opening is None or opening in WHOLE:
        return [named[opening]] if opening else []
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
    return _open_shards(path) if path.name.endswith(".json") else open_tensors(path)


@on_release
def close_checkpoints() -> None:
    """Close the checkpoints that `open_checkpoint` holds open; until then a deleted one keeps its place on disk."""
    _opened.cache_clear()


def files_of(path: Path) -> tuple[Path, ...]:
    """The files that a checkpoint is read from: the file itself, then the shards that an index names, if they exist.

    Never fails: what is wrong with an index or its shards is said when the checkpoint is opened. A shard that its
    name or a link leads out of the folder is not among them, and is not looked at.
    """
    if not path.name.endswith(".json"):
        return (path,)
    return path, *(file for name in _shards_named(path, _mark(path)) if (file := _existing_shard(path, name)))


def signature(path: Path) -> Signature:
    """Changes whenever a file of a checkpoint is replaced, an index's shards included."""
    return tuple(_mark(file) for file in files_of(path))


def _mark(file: Path) -> tuple[str, int, int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None  # the reader says what is wrong
    return (file.name, status.st_ino, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=1024)
def _shards_named(index: Path, mark: tuple[str, int, int, int] | None) -> tuple[str, ...]:
    try:
        return tuple(sorted(set(map(str, _shard_map(index).values()))))
    except (InputError, OSError):
        return ()


def _existing_shard(index: Path, shard: str) -> Path | None:
    try:
        file = _beside(index, shard)
        return file if file.is_file() else None
    except (InputError, OSError, ValueError):
        return None


def _shard_map(index: Path) -> dict[str, object]:
    """The shard of every tensor, as an index names it."""
    raw = mapped(index)
    if raw.size > MAX_HEADER:
        raise InputError(f"{index} has {raw.size} bytes, more than an index of shards needs; {_AGAIN}")
    try:
        content = json.loads(raw.tobytes())
    except (ValueError, RecursionError):
        raise InputError(f"{index} is not JSON; {_AGAIN}") from None
    shard_of = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(shard_of, dict) or not shard_of:
        raise InputError(f"{index} has no weight_map that names the shards; {_AGAIN}")
    return shard_of


def _open_shards(index: Path) -> dict[str, StoredTensor]:
    shard_of = _shard_map(index)
    found: dict[str, StoredTensor] = {}
    for shard in sorted(set(map(str, shard_of.values()))):
        file = _beside(index, shard)
        for name, tensor in open_tensors(file).items():
            if shard_of.get(name) != shard:
                raise InputError(f"{file} holds {shown(name)}, which {index.name} does not place there; {_AGAIN}")
            found[name] = tensor
    for name, shard in shard_of.items():
        if name not in found:
            raise InputError(f"{index} places {shown(name)} in {shown(shard)}, which does not hold it; {_AGAIN}")
    return found


def _beside(index: Path, shard: str) -> Path:
    """A shard's path, refused unless it is a plain file name and stays in the index's folder."""
    if shard in ("", ".", "..") or "/" in shard or "\\" in shard or "\0" in shard:
        raise InputError(f"{index} names the shard {shown(shard)} outside its folder; nothing there was read")
    return inside(index.parent, index.parent / shard)
