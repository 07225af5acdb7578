"""transformers, accelerate, Pico: ``model.safetensors`` or ``pytorch_model.bin``, whole or in shards."""

from __future__ import annotations

import functools
import json
from pathlib import Path

from gradcascade.errors import InputError
from gradcascade.sources.checkpoints.base import Checkpoint
from gradcascade.sources.stored import MAX_HEADER, Mark, StoredTensor, mapped, mark_of, shown
from gradcascade.sources.tensors import open_tensors

WHOLE = ("model.safetensors", "pytorch_model.bin")
INDEXED = tuple(f"{name}.index.json" for name in WHOLE)

_AGAIN = "write or download the checkpoint again"


def _open(path: Path) -> dict[str, StoredTensor]:
    return _open_shards(path) if path.name in INDEXED else open_tensors(path)


def _files(path: Path) -> tuple[Path, ...]:
    """The file itself, then the shards that an index names, if they exist and lie beside it."""
    if path.name not in INDEXED:
        return (path,)
    return path, *(file for name in shards_named(path, mark_of(path)) if (file := _existing_shard(path, name)))


@functools.lru_cache(maxsize=1024)
def shards_named(index: Path, mark: Mark | None) -> tuple[str, ...]:
    """Names in an index's map, as they are; none if the index is broken, which is said when it is opened."""
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
    """A shard's path, refused unless it is a plain file name; where it may be a link to, the tree has checked."""
    if shard in ("", ".", "..") or "/" in shard or "\\" in shard or "\0" in shard:
        raise InputError(f"{index} names the shard {shown(shard)} outside its folder; nothing there was read")
    return index.parent / shard


CHECKPOINT = Checkpoint(
    "transformers", 10, tuple(name for pair in zip(WHOLE, INDEXED, strict=True) for name in pair), _open, _files
)
