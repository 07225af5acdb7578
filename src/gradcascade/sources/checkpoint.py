"""The parameters of one checkpoint: one file, or shards with an index."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

from gradcascade.errors import InputError
from gradcascade.memory import on_release
from gradcascade.sources.stored import FLOATS, MAX_HEADER, StoredTensor, mapped, shown
from gradcascade.sources.tensors import open_tensors

WHOLE = ("model.safetensors", "pytorch_model.bin")
INDEXED = tuple(f"{name}.index.json" for name in WHOLE)

_AGAIN = "write or download the checkpoint again"

# Masks and rotary tables that GPT-NeoX and GPT-2 checkpoints carry beside the parameters. `attention.bias` is such
# a mask, while `attention.dense.bias` is a parameter.
_BUFFER = re.compile(
    r"(?:.*\.)?(?:layers\.[0-9]+\.attention\.(?:masked_)?bias|h\.[0-9]+\.attn\.(?:masked_)?bias|rotary_emb\.inv_freq)"
)


Signature = tuple[tuple[str, int, int, int] | None, ...]
"""Name, inode, size and time of change of every file of a checkpoint; None for one that is not there."""


def checkpoint_file(folder: Path) -> Path | None:
    """The file that opens the checkpoint in a folder, safetensors before pickles; None if there is none."""
    for names in zip(WHOLE, INDEXED, strict=True):
        for name in names:
            if (folder / name).exists():
                return folder / name
    return None


def open_checkpoint(path: Path) -> dict[str, StoredTensor]:
    """Describe the tensors of a checkpoint.

    The last two checkpoints stay open, so that a pass over adjacent pairs opens each once; their values are
    mapped, and cost memory only while they are read.

    Parameters
    ----------
    path : pathlib.Path
        ``model.safetensors``, ``pytorch_model.bin``, or the ``.index.json`` of their shards.

    Returns
    -------
    dict of str to StoredTensor
        In file order; of shards, shard by shard in the order of their names.

    Raises
    ------
    InputError
        If a file is missing or broken, the index disagrees with the shards, or leads out of its folder.
    """
    return _opened(path, signature(path))


@functools.lru_cache(maxsize=2)
def _opened(path: Path, signature: Signature) -> dict[str, StoredTensor]:
    return described(path)


def files_of(path: Path) -> tuple[Path, ...]:
    """The files that a checkpoint is read from.

    Never fails: what is wrong with an index or its shards is said when the checkpoint is opened.

    Parameters
    ----------
    path : pathlib.Path
        The file that opens the checkpoint, or any other file.

    Returns
    -------
    tuple of pathlib.Path
        The file itself; of an index, then the shards it names that are there, by name. A shard that its name or a
        link leads out of the folder is not among them, and is not looked at.
    """
    if not path.name.endswith(".json"):
        return (path,)
    return path, *(file for name in _shards_named(path, _mark(path)) if (file := _shard_there(path, name)))


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


def _shard_there(index: Path, shard: str) -> Path | None:
    try:
        file = _beside(index, shard)
        return file if file.is_file() else None
    except (InputError, OSError, ValueError):
        return None


def described(path: Path) -> dict[str, StoredTensor]:
    """As `open_checkpoint`, without keeping the checkpoint open."""
    return _open_shards(path) if path.name.endswith(".json") else open_tensors(path)


@on_release
def close_checkpoints() -> None:
    """Close the checkpoints that `open_checkpoint` holds open; until then a deleted one keeps its place on disk."""
    _opened.cache_clear()


def parameters(tensors: dict[str, StoredTensor]) -> dict[str, StoredTensor]:
    """Keep the trainable parameters of a checkpoint.

    Parameters
    ----------
    tensors : dict of str to StoredTensor
        All of its tensors.

    Returns
    -------
    dict of str to StoredTensor
        Without attention masks, rotary tables and tensors of integers; tied weights, stored once under two
        names, count once, under the first.
    """
    kept: dict[str, StoredTensor] = {}
    places = set()
    for name, tensor in tensors.items():
        place = (tensor.path, tensor.offset, tensor.shape, tensor.strides)
        if tensor.dtype in FLOATS and not _BUFFER.fullmatch(name) and (place not in places or not tensor.size):
            kept[name] = tensor
            places.add(place)
    return kept


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


def inside(root: Path, path: Path) -> Path:
    """Refuse a path that symbolic links lead out of a folder.

    Parameters
    ----------
    root : pathlib.Path
        The folder the user named.
    path : pathlib.Path
        A path within it.

    Returns
    -------
    pathlib.Path
        The path as it was.

    Raises
    ------
    InputError
        If it resolves to a place outside the folder.
    """
    try:
        within = path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):
        raise InputError(f"{path} is a symbolic link that leads nowhere; remove it") from None
    if not within:
        raise InputError(f"{path} is a symbolic link that leads out of {root}; put the files themselves there")
    return path
