"""Reads what ``pickle.dump`` makes of a dictionary of tensors, without torch and without executing anything.

The pickle (protocol 3 or newer) holds the bytes of every tensor's storage as a stream of its own, as ``torch.save``
wrote it before version 1.6: pickles of a magic number, a version, the machine, the storage's name, type and size, and
a list of names; then the size again, and the numbers. Only descriptions are read here, the numbers stay in the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.sources.formats.base import Format
from gradcascade.sources.pickles.recipes import (
    ADVICE,
    Recipe,
    Storage,
    allow_tensors,
    build,
    collect,
    placed,
    storage_of,
)
from gradcascade.sources.pickles.unpickler import Global, PickleError, Unpickler
from gradcascade.sources.pickles.zip_members import Member
from gradcascade.sources.stored import CODES, StoredTensor, mapped

_LOAD = Global("torch.storage", "_load_from_bytes")
_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_MAX_DESCRIPTION = 1 << 20  # bytes besides the storages: some 5,000 tensors
_MAX_NESTED = 1 << 12  # the same of one storage; torch writes some 300
_LINE = 1 << 10  # bytes within which a name of an old protocol must end


class _Mapped:
    """Some of a mapped file's bytes, of which only what is asked for is copied."""

    def __init__(self, raw: NDArray[np.uint8], start: int, size: int) -> None:
        self._raw = raw[start : start + size]

    def __len__(self) -> int:
        return self._raw.size

    def __getitem__(self, part: slice) -> bytes:
        return self._raw[part].tobytes()

    def find(self, sub: bytes, start: int) -> int:
        found = self[start : start + _LINE].find(sub)
        return start + found if found >= 0 else -1


def open_pickle(path: Path) -> dict[str, StoredTensor]:
    """Describe the tensors of a pickled dictionary, in its order; dictionaries and lists in it are allowed."""
    raw = mapped(path)
    members: dict[str, Member] = {}

    def made(function: Global, arguments: tuple) -> Any:
        match function == _LOAD, arguments:
            case True, (Member() as blob,):
                storage, members[str(blob.offset)] = _nested(raw, blob)
                return storage
        return build(function, arguments)

    def allow(reference: Global) -> None:
        if reference != _LOAD:
            allow_tensors(reference)

    text = _Mapped(raw, 0, raw.size)
    recipes: dict[str, Recipe] = {}
    try:
        pickle = Unpickler(text, allow, made, _no_storage, blob=Member, most=_MAX_DESCRIPTION)
        value = pickle.run()
        if pickle.position != raw.size:
            raise PickleError(f"goes on after its end, at byte {pickle.position} of {raw.size}")
        if not isinstance(value, dict):
            raise PickleError("is not a dictionary of tensors")
        collect(value, "", recipes, {}, 0)
    except PickleError as fault:
        raise InputError(f"{path} {fault}; {ADVICE}") from None
    return {
        name: placed(name, recipe, path, raw, members.get(recipe.storage.key)) for name, recipe in recipes.items()
    }


def _nested(raw: NDArray[np.uint8], blob: Member) -> tuple[Storage, Member]:
    """The storage that a stream of the old format describes, and where its numbers lie in the file."""
    text, at = _Mapped(raw, blob.offset, blob.size), 0
    values = []
    for _ in range(5):
        pickle = Unpickler(text, allow_tensors, _nothing, storage_of, start=at, most=_MAX_NESTED)
        values.append(pickle.run())
        at = pickle.position
    magic, version, machine, storage, keys = values
    if magic != _MAGIC or version != _VERSION or not isinstance(machine, dict):
        raise PickleError("holds bytes that are not a stream of torch.save")
    if machine.get("little_endian") is not True:
        raise PickleError("was written with another byte order")
    if not isinstance(storage, Storage) or keys != [storage.key]:
        raise PickleError("holds a stream that is not of one storage")
    size = int.from_bytes(text[at : at + 8], "little", signed=True)
    width = np.dtype(CODES[storage.dtype]).itemsize
    if size != storage.size or size < 0 or at + 8 + size * width != blob.size:
        raise PickleError(
            f"holds a storage said to have {storage.size} entries and then {size}, in {blob.size - at - 8} bytes"
        )
    return Storage(storage.dtype, str(blob.offset), size), Member(blob.offset + at + 8, size * width)


def _nothing(function: Global, arguments: tuple) -> Any:
    del arguments
    raise PickleError(f"uses {function} where only a storage is described")


def _no_storage(identifier: Any) -> Storage:
    del identifier
    raise PickleError("refers to a storage outside of itself")


def _is_pickle(start: bytes, size: int) -> bool:
    del size
    return start[:1] == b"\x80" and start[1:2] in (b"\x03", b"\x04", b"\x05")


FORMAT = Format("pickle", 40, (".pickle", ".pkl"), _is_pickle, open_pickle)
