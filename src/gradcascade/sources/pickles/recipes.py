"""What stands for a tensor that a pickle would rebuild, and how it is checked against the bytes that hold it.

Nothing is rebuilt by calling what a pickle names; whatever else a pickle may ask for is refused by name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.sources.pickles.unpickler import Global, PickleError
from gradcascade.sources.pickles.zip_members import Member
from gradcascade.sources.stored import CODES, StoredTensor, checked_shape, shown

ADVICE = "nothing in it was run; save the tensors alone, as .safetensors or a plain dictionary of tensors"
AGAIN = "write or download it again"
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
MAX_DEPTH = 32
"""Levels of dictionaries within one another."""


@dataclass(frozen=True)
class Storage:
    """An array that a pickle refers to, by its key."""

    dtype: str
    key: str
    size: int  # entries


@dataclass(frozen=True)
class Recipe:
    """A tensor that a pickle would rebuild from a storage; not checked yet, see `placed`."""

    storage: Storage
    dtype: str
    offset: Any
    shape: Any
    strides: Any
    negative: bool = False


def allow_tensors(reference: Global) -> None:
    """Refuse all names but those that plain dictionaries of tensors need."""
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


def build(function: Global, arguments: tuple) -> Any:
    """What stands for a call of one of these names."""
    match function.name, arguments:
        case "OrderedDict", ():
            return {}
        case "_rebuild_parameter" | "_rebuild_parameter_with_state", (Recipe() as recipe, *_):
            return recipe
        case "_rebuild_from_type_v2", (Global() as inner, kind, tuple() as inputs, _) if kind in _PLAIN:
            return build(inner, inputs)  # a tensor that carries attributes, as those of ZeRO-3 do
        case "_rebuild_tensor_v2", (Storage() as storage, offset, shape, strides, *more):
            metadata = more[2] if len(more) > 2 and isinstance(more[2], dict) else {}
            return Recipe(storage, storage.dtype, offset, shape, strides, bool(metadata.get("neg")))
        case "_rebuild_tensor_v3", (Storage() as storage, offset, shape, strides, _, _, Global("torch", dtype), *_):
            return Recipe(storage, dtype, offset, shape, strides)
    raise PickleError(f"uses {shown(str(function))} in an unknown way")


def storage_of(identifier: Any) -> Storage:
    """The storage that a persistent identifier describes."""
    match identifier:
        # The old format adds a view, which is None since torch 0.4.
        case ("storage", Global(_, kind), str(key), str(), int(size), *view) if view in ([], [None]):
            if kind not in _DTYPES:
                raise PickleError(f"refers to a storage of the unknown type {shown(kind)}")
            return Storage(_DTYPES[kind], key, size)
    raise PickleError("refers to a storage in an unknown way")


def collect(value: Any, name: str, found: dict[str, Recipe], visited: dict[int, int], depth: int) -> None:
    """Gather the tensors beneath `value`; `visited` counts them per container, -1 while it is being walked."""
    if isinstance(value, Recipe):
        if name in found:
            raise PickleError(f"has the name {shown(name)} twice")
        found[name or "tensor"] = value
    if not isinstance(value, dict | list | tuple):
        return
    if id(value) in visited:
        if visited[id(value)]:
            raise PickleError(f"holds the same group of tensors twice, again at {shown(name)}")
        return
    if depth > MAX_DEPTH:
        raise PickleError(f"nests its dictionaries deeper than {MAX_DEPTH} levels")
    visited[id(value)] = -1
    before = len(found)
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        collect(item, f"{name}.{key}" if name else str(key), found, visited, depth + 1)
    visited[id(value)] = len(found) - before


def placed(name: str, recipe: Recipe, path: Path, raw: NDArray[np.uint8], member: Member | None) -> StoredTensor:
    """Check a tensor's place against the storage that holds it."""
    where = f"{path}: tensor {shown(name)}"
    storage, shape = recipe.storage, checked_shape(recipe.shape, where)
    if member is None:
        raise InputError(f"{where} refers to the storage {shown(storage.key)}, which is missing; {AGAIN}")
    width = np.dtype(CODES[storage.dtype]).itemsize
    if storage.size < 0 or storage.size * width != member.size:
        raise InputError(
            f"{where} claims a storage of {storage.size} entries, and {member.size} bytes are there; {AGAIN}"
        )
    offset, strides = recipe.offset, recipe.strides
    if not isinstance(strides, tuple) or len(strides) != len(shape) or not all(type(step) is int for step in strides):
        raise InputError(f"{where} has strides that do not fit its shape; {AGAIN}")
    width = np.dtype(CODES[recipe.dtype]).itemsize if recipe.dtype in CODES else _WIDTHS.get(recipe.dtype, 1)
    capacity = member.size // width
    entries = math.prod(shape)
    last = sum((size - 1) * step for size, step in zip(shape, strides, strict=True)) if entries else -1
    if type(offset) is not int or offset < 0 or min(strides, default=0) < 0 or offset + last >= capacity:
        raise InputError(f"{where} reaches outside its storage of {capacity} entries; {AGAIN}")
    if entries > capacity:
        raise InputError(f"{where} repeats the entries of its storage; save it with .contiguous()")
    steps = tuple(step * width if size > 1 else 0 for size, step in zip(shape, strides, strict=True))
    if not entries:
        offset, steps = 0, tuple(0 for _ in shape)
    start = member.offset + offset * width
    return StoredTensor(name, recipe.dtype, shape, steps, start, raw, path, negative=recipe.negative)
