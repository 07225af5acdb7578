"""Reads ``torch.save`` files that hold plain dictionaries of tensors, without torch and without executing anything.

Such a file is an uncompressed zip: ``<stem>/data.pkl`` describes the tensors, ``<stem>/data/<key>`` holds their
numbers. Whatever else a pickle may ask for is refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.sources.formats.base import Format
from gradcascade.sources.pickles.unpickler import Global, PickleError, Record, Unpickler
from gradcascade.sources.pickles.zip_members import Member, open_archive
from gradcascade.sources.stored import CODES, StoredTensor, checked_shape, mapped, shown

_ADVICE = "nothing in it was run; save the tensors alone, as .safetensors or a plain dictionary of tensors"
_AGAIN = "write or download it again"
_DTYPES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "UntypedStorage": "uint8",
}  # fmt: skip
_WIDTHS = {"complex128": 16, "complex64": 8, "complex32": 4}
_REBUILD = ("_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_parameter", "_rebuild_parameter_with_state")
_PLAIN = (
    Global("torch", "Tensor"),
    Global("torch.nn.parameter", "Parameter"),
)  # kinds of tensor whose values are as stored
_MAX_DEPTH = 32
_MAX_PICKLE = 1 << 22  # bytes: some 25,000 tensors; more would take seconds to walk


@dataclass(frozen=True)
class _Storage:
    dtype: str
    key: str
    size: int  # entries


@dataclass(frozen=True)
class _Recipe:
    storage: _Storage
    dtype: str
    offset: Any
    shape: Any
    strides: Any
    negative: bool = False


def open_torch_save(path: Path) -> dict[str, StoredTensor]:
    """Describe the tensors of a file that ``torch.save`` (1.6 or newer) wrote, in the order of its dictionary.

    Dictionaries and lists in it are allowed, their names are joined by dots; values that are not tensors are skipped.
    """
    return open_within(mapped(path), path)


def open_within(raw: NDArray[np.uint8], path: Path) -> dict[str, StoredTensor]:
    """As `open_torch_save`, of the bytes of such a file that lie within another one."""
    value, place = _opened(raw, path, _allow, records=False)
    recipes: dict[str, _Recipe] = {}
    try:
        _collect(value, "", recipes, {}, 0)
    except PickleError as fault:
        raise InputError(f"{path} {fault}; {_ADVICE}") from None
    items = value.items() if isinstance(value, dict) else ()
    groups = {str(key) for key, item in items if isinstance(item, dict | list | tuple)}
    return {name: place(name, recipe, name.partition(".")[0], groups) for name, recipe in recipes.items()}


def open_values(path: Path, known: Callable[[Global], bool]) -> Any:
    """What a ``torch.save`` file holds, numbers, names and shapes too; tensors as `StoredTensor`, objects as records.

    ``known`` tells which further names may occur; nothing is imported or called for any of them.
    """

    def allow(reference: Global) -> None:
        if not known(reference):
            _allow(reference)

    value, place = _opened(mapped(path), path, allow, records=True)
    return _filled(value, "", place, {})


def _opened(
    raw: NDArray[np.uint8], path: Path, allow: Callable[[Global], None], *, records: bool
) -> tuple[Any, Callable[..., StoredTensor]]:
    """The value that the pickle in a file describes, and what turns a recipe in it into a tensor."""
    archive = open_archive(path, raw)
    roots = [name for name in archive if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(roots) != 1:
        what = "a NumPy .npz archive" if any(name.endswith(".npy") for name in archive) else "a zip of something else"
        raise InputError(f"{path} is {what}, not a torch.save file; save one array as .npy, or use torch.save")
    stem = roots[0].removesuffix("data.pkl")
    if f"{stem}constants.pkl" in archive:
        raise InputError(f"{path} is a TorchScript program, not a dictionary of tensors; save its state_dict()")
    _check_byte_order(path, raw, archive.get(f"{stem}byteorder"))
    pickle = archive[roots[0]]
    if pickle.size > _MAX_PICKLE:
        raise InputError(
            f"{path} holds a pickle of {pickle.size} bytes, more than a dictionary of tensors; {_ADVICE}"
        )
    build = _build_records if records else _build
    try:
        value = Unpickler(pickle.read(raw), allow, build, _storage, records=records).run()
    except PickleError as fault:
        raise InputError(f"{path} {fault}; {_ADVICE}") from None

    def place(name: str, recipe: _Recipe, group: str = "", groups: Collection[str] = ()) -> StoredTensor:
        member = archive.get(f"{stem}data/{recipe.storage.key}")
        return replace(_placed(name, recipe, path, raw, member), group=group if group in groups else "")

    return value, place


def _filled(value: Any, name: str, place: Callable[..., StoredTensor], seen: dict[int, Any], depth: int = 0) -> Any:
    """A value with every recipe in it placed."""
    if isinstance(value, _Recipe):
        return place(name or "tensor", value)
    if not isinstance(value, dict | list | tuple) or depth > _MAX_DEPTH:
        return value
    if id(value) not in seen:
        seen[id(value)] = None
        items = value.items() if isinstance(value, dict) else enumerate(value)
        filled = {key: _filled(item, f"{name}.{key}", place, seen, depth + 1) for key, item in items}
        seen[id(value)] = filled if isinstance(value, dict) else list(filled.values())
    return seen[id(value)]


def _check_byte_order(path: Path, raw: NDArray[np.uint8], member: Member | None) -> None:
    if member is not None and (member.size > 16 or member.read(raw).strip() != b"little"):
        raise InputError(f"{path} was written with another byte order; save it again on a little-endian machine")


def _allow(reference: Global) -> None:
    match reference.module:
        case "torch._utils" if reference.name in _REBUILD:
            return
        case "torch._tensor" if reference.name == "_rebuild_from_type_v2":
            return
        case "torch" | "torch.nn.parameter" if reference in _PLAIN:
            return
        case "torch" | "torch.storage" if reference.name in _DTYPES:
            return
        case "torch" if reference.name in CODES or reference.name in _WIDTHS or reference.name.startswith("float8"):
            return
        case "collections" if reference.name == "OrderedDict":
            return
    raise PickleError(f"asks for {shown(str(reference))}, which no dictionary of tensors needs")


def _build(function: Global, arguments: tuple) -> Any:
    match function.name, arguments:
        case "OrderedDict", ():
            return {}
        case "_rebuild_parameter" | "_rebuild_parameter_with_state", (_Recipe() as recipe, *_):
            return recipe
        case "_rebuild_from_type_v2", (Global() as inner, kind, tuple() as inputs, _) if kind in _PLAIN:
            return _build(inner, inputs)  # a tensor that carries attributes, as those of ZeRO-3 do
        case "_rebuild_tensor_v2", (_Storage() as storage, offset, shape, strides, *more):
            metadata = more[2] if len(more) > 2 and isinstance(more[2], dict) else {}
            return _Recipe(storage, storage.dtype, offset, shape, strides, bool(metadata.get("neg")))
        case "_rebuild_tensor_v3", (_Storage() as storage, offset, shape, strides, _, _, Global("torch", dtype), *_):
            return _Recipe(storage, dtype, offset, shape, strides)
    raise PickleError(f"uses {shown(str(function))} in an unknown way")


def _build_records(function: Global, arguments: tuple) -> Any:
    match function.name, arguments:
        case "Size", (tuple() | list() as sizes,):
            return tuple(sizes)
        case "Size", ():
            return ()
    try:
        return _build(function, arguments)
    except PickleError:
        return Record(function, arguments)


def _storage(identifier: Any) -> _Storage:
    match identifier:
        case ("storage", Global(_, kind), str(key), str(), int(size)) if kind in _DTYPES:
            return _Storage(_DTYPES[kind], key, size)
    raise PickleError("refers to a storage in an unknown way")


def _collect(value: Any, name: str, found: dict[str, _Recipe], visited: dict[int, int], depth: int) -> None:
    """Gather the tensors beneath `value`; `visited` counts them per container, -1 while it is being walked."""
    if isinstance(value, _Recipe):
        if name in found:
            raise PickleError(f"has the name {shown(name)} twice")
        found[name or "tensor"] = value
    if not isinstance(value, dict | list | tuple):
        return
    if id(value) in visited:
        if visited[id(value)]:
            raise PickleError(f"holds the same group of tensors twice, again at {shown(name)}")
        return
    if depth > _MAX_DEPTH:
        raise PickleError(f"nests its dictionaries deeper than {_MAX_DEPTH} levels")
    visited[id(value)] = -1
    before = len(found)
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        _collect(item, f"{name}.{key}" if name else str(key), found, visited, depth + 1)
    visited[id(value)] = len(found) - before


def _placed(name: str, recipe: _Recipe, path: Path, raw: NDArray[np.uint8], member: Member | None) -> StoredTensor:
    """Check a tensor's place against the storage that holds it."""
    where = f"{path}: tensor {shown(name)}"
    storage, shape = recipe.storage, checked_shape(recipe.shape, where)
    if member is None:
        raise InputError(f"{where} refers to the storage {shown(storage.key)}, which is missing; {_AGAIN}")
    width = np.dtype(CODES[storage.dtype]).itemsize
    if storage.size < 0 or storage.size * width != member.size:
        raise InputError(
            f"{where} claims a storage of {storage.size} entries, and {member.size} bytes are there; {_AGAIN}"
        )
    offset, strides = recipe.offset, recipe.strides
    if not isinstance(strides, tuple) or len(strides) != len(shape) or not all(type(step) is int for step in strides):
        raise InputError(f"{where} has strides that do not fit its shape; {_AGAIN}")
    width = np.dtype(CODES[recipe.dtype]).itemsize if recipe.dtype in CODES else _WIDTHS.get(recipe.dtype, 1)
    capacity = member.size // width
    entries = math.prod(shape)
    last = sum((size - 1) * step for size, step in zip(shape, strides, strict=True)) if entries else -1
    if type(offset) is not int or offset < 0 or min(strides, default=0) < 0 or offset + last >= capacity:
        raise InputError(f"{where} reaches outside its storage of {capacity} entries; {_AGAIN}")
    if entries > capacity:
        raise InputError(f"{where} repeats the entries of its storage; save it with .contiguous()")
    steps = tuple(step * width if size > 1 else 0 for size, step in zip(shape, strides, strict=True))
    if not entries:
        offset, steps = 0, tuple(0 for _ in shape)
    start = member.offset + offset * width
    return StoredTensor(name, recipe.dtype, shape, steps, start, raw, path, negative=recipe.negative)


FORMAT = Format(
    "torch.save", 20, (".pt", ".pth", ".bin", ".ckpt"), lambda start, size: start.startswith(b"PK\x03\x04"),
    open_torch_save,
)  # fmt: skip
