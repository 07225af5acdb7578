"""Reads ``torch.save`` files that hold plain dictionaries of tensors, without torch and without executing anything.

Such a file is an uncompressed zip: ``<stem>/data.pkl`` describes the tensors, ``<stem>/data/<key>`` holds their
numbers. Whatever else a pickle may ask for is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.sources.formats.base import Format
from gradcascade.sources.pickles.recipes import (
    ADVICE,
    MAX_DEPTH,
    Recipe,
    allow_tensors,
    build,
    collect,
    placed,
    storage_of,
)
from gradcascade.sources.pickles.unpickler import Global, PickleError, Record, Unpickler
from gradcascade.sources.pickles.zip_members import Member, open_archive
from gradcascade.sources.stored import StoredTensor, mapped

_MAX_PICKLE = 1 << 22  # bytes: some 25,000 tensors; more would take seconds to walk


def open_torch_save(path: Path) -> dict[str, StoredTensor]:
    """Describe the tensors of a file that ``torch.save`` (1.6 or newer) wrote, in the order of its dictionary.

    Dictionaries and lists in it are allowed, their names are joined by dots; values that are not tensors are skipped.
    """
    return open_within(mapped(path), path)


def open_within(raw: NDArray[np.uint8], path: Path) -> dict[str, StoredTensor]:
    """As `open_torch_save`, of the bytes of such a file that lie within another one."""
    value, place = _opened(raw, path, allow_tensors, records=False)
    recipes: dict[str, Recipe] = {}
    try:
        collect(value, "", recipes, {}, 0)
    except PickleError as fault:
        raise InputError(f"{path} {fault}; {ADVICE}") from None
    items = value.items() if isinstance(value, dict) else ()
    groups = {str(key) for key, item in items if isinstance(item, dict | list | tuple)}
    return {name: place(name, recipe, name.partition(".")[0], groups) for name, recipe in recipes.items()}


def open_values(path: Path, known: Callable[[Global], bool], raw: NDArray[np.uint8] | None = None) -> Any:
    """What a ``torch.save`` file holds, numbers, names and shapes too; tensors as `StoredTensor`, objects as records.

    ``known`` tells which further names may occur; nothing is imported or called for any of them. ``raw`` are
    the bytes of such a file that lies within that of ``path``.
    """

    def allow(reference: Global) -> None:
        if not known(reference):
            allow_tensors(reference)

    value, place = _opened(mapped(path) if raw is None else raw, path, allow, records=True)
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
        raise InputError(f"{path} holds a pickle of {pickle.size} bytes, more than a dictionary of tensors; {ADVICE}")
    make = _build_records if records else build
    try:
        value = Unpickler(pickle.read(raw), allow, make, storage_of, records=records).run()
    except PickleError as fault:
        raise InputError(f"{path} {fault}; {ADVICE}") from None

    def place(name: str, recipe: Recipe, group: str = "", groups: Collection[str] = ()) -> StoredTensor:
        member = archive.get(f"{stem}data/{recipe.storage.key}")
        return replace(placed(name, recipe, path, raw, member), group=group if group in groups else "")

    return value, place


def _filled(value: Any, name: str, place: Callable[..., StoredTensor], seen: dict[int, Any], depth: int = 0) -> Any:
    """A value with every recipe in it placed."""
    if isinstance(value, Recipe):
        return place(name or "tensor", value)
    if not isinstance(value, dict | list | tuple) or depth > MAX_DEPTH:
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


def _build_records(function: Global, arguments: tuple) -> Any:
    match function.name, arguments:
        case "Size", (tuple() | list() as sizes,):
            return tuple(sizes)
        case "Size", ():
            return ()
    try:
        return build(function, arguments)
    except PickleError:
        return Record(function, arguments)


FORMAT = Format(
    "torch.save", 20, (".pt", ".pth", ".bin", ".ckpt"), lambda start, size: start.startswith(b"PK\x03\x04"),
    open_torch_save,
)  # fmt: skip
