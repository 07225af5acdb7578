"""Distributed checkpoints of PyTorch (``torch.distributed.checkpoint``): ``.distcp`` files and ``.metadata``.

The metadata is a pickle; torch's own reader unpickles it, this one only takes its description. Every piece of a
tensor is a ``torch.save`` file of its own within a ``.distcp`` file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.sources.formats.torch_save import open_values, open_within
from gradcascade.sources.optimizer_state import OptimizerState, torch_state
from gradcascade.sources.pickles.unpickler import Global, PickleError, Record, Unpickler
from gradcascade.sources.pieces import Piece, joined
from gradcascade.sources.stored import MAX_HEADER, StoredTensor, checked_shape, mapped, shown

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


_STATE = re.compile(r"optim\w*\.state\.(.+)\.(\w+)")
_GROUPS = re.compile(r"optim\w*\.param_groups\.(.+)\.(\w+)")
_SETTINGS = ("params", "param_names", "betas", "eps", "amsgrad", "bias_correction", "decoupled_weight_decay")


def open_distributed(metadata: Path) -> dict[str, StoredTensor]:
    """Describe the tensors of a checkpoint by its ``.metadata``, names and groups as saved; each must be whole."""
    return _tensors(_read(metadata), metadata)


def distributed_state(metadata: Path) -> OptimizerState | None:
    """The optimizer's state that a checkpoint holds, by the names it has there; None if it holds none."""
    content = _read(metadata)
    state: dict[str | int, dict[str, Any]] = {}
    for name, tensor in _tensors(content, metadata, lambda name: bool(_STATE.fullmatch(content.full(name)))).items():
        if match := _STATE.fullmatch(name):
            state.setdefault(match[1], {})[match[2]] = tensor
    if not state:
        return None
    groups: dict[str, dict[str, Any]] = {}
    listed: set[str] = set()
    files: dict[str, NDArray[np.uint8]] = {}
    for name in content.others:
        if (match := _GROUPS.fullmatch(content.full(name))) and match[2] in _SETTINGS:
            file, held = _held(content, name, None, metadata, files)
            groups.setdefault(match[1], {})[match[2]] = open_values(file, lambda reference: False, held)
            listed |= {match[1]} if match[2] == "params" else set()
    found = [own if key in listed else {"params": [key], **own} for key, own in groups.items()]
    if any(type(key) is int for group in found for key in group["params"]):  # saved without names
        state = {int(key) if isinstance(key, str) and key.isdigit() else key: kept for key, kept in state.items()}
    return torch_state({"state": state, "param_groups": found}, metadata)


def _read(metadata: Path) -> _Metadata:
    raw = mapped(metadata)
    if raw.size > MAX_HEADER:
        raise InputError(f"{metadata} has {raw.size} bytes, more than metadata needs; {_AGAIN}")
    try:
        return _Metadata(Unpickler(raw.tobytes(), _allow, _build, _no_storage, records=True).run())
    except PickleError as fault:
        raise InputError(f"{metadata} {fault}; {_ADVICE}") from None


def _tensors(
    content: _Metadata, metadata: Path, wanted: Callable[[str], bool] = lambda name: True
) -> dict[str, StoredTensor]:
    files: dict[str, NDArray[np.uint8]] = {}
    found = {}
    for name, size, chunks in content.tensors(metadata):
        if not wanted(name):
            continue
        pieces = []
        for start, shape in chunks:
            file, held = _held(content, name, start, metadata, files)
            pieces.append(Piece(start, _piece(file, held, name, shape)))
        group, found_name = content.path(name)
        found[found_name] = joined(found_name, size, pieces, metadata, group)
    return found


def _held(
    content: _Metadata, name: str, start: Shape | None, metadata: Path, files: dict[str, NDArray[np.uint8]]
) -> tuple[Path, NDArray[np.uint8]]:
    """The file that holds something, and its bytes there."""
    named, offset, length = content.place(name, start, metadata)
    file = metadata.parent / _plain(named, metadata)
    if named not in files:
        files[named] = mapped(file)
    if offset < 0 or length <= 0 or offset + length > files[named].size:
        raise InputError(f"{file} is cut off: {shown(name)} reaches beyond its end; {_AGAIN}")
    return file, files[named][offset : offset + length]


def _plain(name: str, metadata: Path) -> str:
    if not name.endswith(ENDING) or "/" in name or "\\" in name or "\0" in name:
        raise InputError(f"{metadata} names the file {shown(name)}, which is none of its folder; {_AGAIN}")
    return name


def _piece(file: Path, held: NDArray[np.uint8], name: str, shape: Shape) -> StoredTensor:
    tensors = list(open_within(held, file).values())
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
            if not _is_tensor(entry):
                continue
            state = _state(entry)
            size = checked_shape(state.get("size"), f"{where}: tensor {shown(name)}")
            chunks = []
            for chunk in state.get("chunks") or []:
                piece = _state(chunk)
                chunks.append((tuple(piece["offsets"]), checked_shape(piece["sizes"], f"{where}: {shown(name)}")))
            found.append((name, size, chunks))
        return found

    @property
    def others(self) -> list[str]:
        """Names of what is no tensor."""
        entries = self._tensors.items()
        return [name for name, entry in entries if getattr(entry, "reference", None) and not _is_tensor(entry)]

    def full(self, name: str) -> str:
        """The name of an entry with the dictionaries it was in."""
        return self.path(name)[1]

    def place(self, name: str, start: tuple[int, ...] | None, where: Path) -> tuple[str, int, int]:
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


def _is_tensor(entry: Any) -> bool:
    return isinstance(entry, Record) and entry.reference.name == "TensorStorageMetadata"


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
