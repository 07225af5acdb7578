"""Distributed checkpoints of PyTorch (``torch.distributed.checkpoint``): ``.distcp`` files and ``.metadata``.

The metadata is a pickle; torch's own reader unpickles it, this one only takes its description. Every piece of a
tensor is a ``torch.save`` file of its own within a ``.distcp`` file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.sources.formats.torch_save import open_within
from gradcascade.sources.pickles.unpickler import Global, PickleError, Record, Unpickler
from gradcascade.sources.pieces import Piece, joined
from gradcascade.sources.stored import MAX_HEADER, StoredTensor, checked_shape, mapped, shown
from gradcascade.sources.trees.local import inside

Shape = tuple[int, ...]

METADATA = ".metadata"
ENDING = ".distcp"

_AGAIN = "write the checkpoint again"
_ADVICE = "nothing in it was run; convert it with torch.distributed.checkpoint.format_utils.dcp_to_torch_save"
_KNOWN = {
    "torch.distributed.checkpoint.metadata": (
        "Metadata", "TensorStorageMetadata", "BytesStorageMetadata", "ChunkStorageMetadata", "TensorProperties",
        "MetadataIndex", "StorageMeta", "_MEM_FORMAT_ENCODING",
    ),
    "torch.distributed.checkpoint.filesystem": ("_StorageInfo", "_StoragePrefix", "_StorageWriterTransforms"),
    "torch.serialization": ("_get_layout",),
    "torch": ("Size",),
    "collections": ("OrderedDict",),
    "pathlib": ("PosixPath", "PurePosixPath"),
}  # fmt: skip


def open_distributed(metadata: Path) -> dict[str, StoredTensor]:
    """Describe the tensors of a checkpoint by its ``.metadata``, names and groups as saved; each must be whole."""
    raw = mapped(metadata)
    if raw.size > MAX_HEADER:
        raise InputError(f"{metadata} has {raw.size} bytes, more than metadata needs; {_AGAIN}")
    try:
        content = _Metadata(Unpickler(raw.tobytes(), _allow, _build, _no_storage, records=True).run())
    except PickleError as fault:
        raise InputError(f"{metadata} {fault}; {_ADVICE}") from None
    files: dict[str, NDArray[np.uint8]] = {}
    found = {}
    for name, size, chunks in content.tensors(metadata):
        pieces = []
        for start, shape in chunks:
            info = content.place(name, start, metadata)
            file = inside(metadata.parent, metadata.parent / _plain(info[0], metadata))
            held = files.setdefault(info[0], mapped(file))
            pieces.append(Piece(start, _piece(file, held, info[1], info[2], name, shape)))
        group, found_name = content.path(name)
        found[found_name] = joined(found_name, size, pieces, metadata, group)
    return found


def _plain(name: str, metadata: Path) -> str:
    if not name.endswith(ENDING) or "/" in name or "\\" in name or "\0" in name:
        raise InputError(f"{metadata} names the file {shown(name)}, which is none of its folder; {_AGAIN}")
    return name


def _piece(
    file: Path, held: NDArray[np.uint8], offset: int, length: int, name: str, shape: tuple[int, ...]
) -> StoredTensor:
    if offset < 0 or length <= 0 or offset + length > held.size:
        raise InputError(f"{file} is cut off: {shown(name)} reaches beyond its end; {_AGAIN}")
    tensors = list(open_within(held[offset : offset + length], file).values())
    if len(tensors) != 1 or tensors[0].shape != shape:
        raise InputError(f"{file} holds something else than the metadata says for {shown(name)}; {_AGAIN}")
    return tensors[0]


class _Metadata:
    """What is of use in the metadata."""

    def __init__(self, root: Any) -> None:
        try:
            state = _state(root)
            self._tensors = state["state_dict_metadata"]
            self._paths = state.get("planner_data") or {}
            self._places = {}
            for index, info in state["storage_data"].items():
                key, value = _state(index), _state(info)
                offset = tuple(key["offset"]) if key.get("offset") is not None else None
                self._places[key["fqn"], offset] = (value["relative_path"], value["offset"], value["length"])
        except (AttributeError, KeyError, TypeError, ValueError):
            raise PickleError("is not the metadata of a distributed checkpoint") from None

    def tensors(self, where: Path) -> list[tuple[str, Shape, list[tuple[Shape, Shape]]]]:
        """Name, shape, and start and shape of every piece."""
        found = []
        for name, entry in self._tensors.items():
            if not isinstance(entry, Record) or entry.reference.name != "TensorStorageMetadata":
                continue
            state = _state(entry)
            size = checked_shape(state.get("size"), f"{where}: tensor {shown(name)}")
            chunks = []
            for chunk in state.get("chunks") or []:
                piece = _state(chunk)
                chunks.append((tuple(piece["offsets"]), checked_shape(piece["sizes"], f"{where}: {shown(name)}")))
            found.append((name, size, chunks))
        return found

    def place(self, name: str, start: tuple[int, ...], where: Path) -> tuple[str, int, int]:
        """File, offset and length of a piece."""
        place = self._places.get((name, start)) or self._places.get((name, None))
        match place:
            case (str(file), int(offset), int(length)):
                return file, offset, length
        raise InputError(f"{where} does not say where the piece of {shown(name)} at {start} lies; {_AGAIN}")

    def path(self, name: str) -> tuple[str, str]:
        """Top dictionary and full name of a tensor, as they were before the saving flattened them."""
        path = self._paths.get(name) if isinstance(self._paths, dict) else None
        if isinstance(path, tuple | list) and len(path) > 1:
            return str(path[0]), ".".join(map(str, path))
        return "", name


def _state(value: Any) -> dict[str, Any]:
    if isinstance(value, Record) and isinstance(value.state, dict):
        return value.state
    raise PickleError("is not the metadata of a distributed checkpoint")


def _allow(reference: Global) -> None:
    if reference.name in _KNOWN.get(reference.module, ()) or reference.module == "torch":
        return
    raise PickleError(f"asks for {shown(str(reference))}, which the metadata of a checkpoint does not need")


def _build(function: Global, arguments: tuple) -> Any:
    match function.name, arguments:
        case "OrderedDict", ():
            return {}
        case "Size", (tuple() | list() as sizes,):
            return tuple(sizes)
        case "Size", ():
            return ()
    return Record(function, arguments)


def _no_storage(identifier: Any) -> Any:
    raise PickleError("refers to stored numbers, which metadata never does")
