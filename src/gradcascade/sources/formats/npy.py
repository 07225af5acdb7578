"""Reads ``.npy`` files: one array, memory-mapped, never unpickled."""

from __future__ import annotations

import ast
import re
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.sources.formats.base import Format
from gradcascade.sources.stored import StoredTensor, checked_shape, mapped, row_major_strides, shown

ARRAY = "array"
"""The name given to the one array of a file."""

MAGIC = b"\x93NUMPY"
MAX_NPY_HEADER = 10_000
_NUMBER = re.compile(r"[<>|=]?(?:f[248]|[iu][1248]|b1)")


def read_npy(path: Path) -> NDArray:
    """Map the array in a file as ``numpy.save`` writes it (versions 1 to 3): read-only, of its own shape and type."""
    raw = mapped(path)
    broken = f"{path} has a broken .npy header; write it again with numpy.save"
    if raw[:6].tobytes() != MAGIC:
        raise InputError(f"{path} is not a .npy file; write it with numpy.save")
    if raw.size < 12:
        raise InputError(f"{path} is cut off after {raw.size} bytes; write or download it again")
    version = int(raw[6])
    if version not in (1, 2, 3):
        raise InputError(f"{path} is a .npy file of unknown version {version}; write it again with numpy.save")
    start = 10 if version == 1 else 12
    length = int.from_bytes(raw[8:start].tobytes(), "little")
    if length > MAX_NPY_HEADER or start + length > raw.size:
        raise InputError(f"{path} claims a header of {length} bytes, which cannot be; write or download it again")
    header = _parsed(raw[start : start + length].tobytes())
    if header is None or set(header) != {"descr", "fortran_order", "shape"}:
        raise InputError(broken)
    descr, fortran, shape = header["descr"], header["fortran_order"], header["shape"]
    if not isinstance(descr, str) or not _NUMBER.fullmatch(descr):
        raise InputError(f"{path} holds {shown(descr)} instead of real numbers; save it as float32 or float64")
    if type(fortran) is not bool or not isinstance(shape, tuple):
        raise InputError(broken)
    shape = checked_shape(shape, f"{path}: the array")
    dtype = np.dtype(descr)
    expected = dtype.itemsize * int(np.prod(shape, dtype=object))
    found = raw.size - start - length
    if found != expected:
        raise InputError(
            f"{path} should hold {expected} bytes of {descr} for its shape {shown(shape)} and holds {found}; "
            "write or download it again"
        )
    return np.ndarray(shape, dtype, raw, start + length, order="F" if fortran else "C")


def _parsed(header: bytes) -> dict | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the compiler warns of odd escapes in strings
            value = ast.literal_eval(header.decode("utf-8").strip())
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None
    return value if isinstance(value, dict) else None


def open_npy(path: Path) -> dict[str, StoredTensor]:
    """Describe the one array of a file."""
    array = read_npy(path)
    native = array.astype(array.dtype.newbyteorder("<"), copy=False)
    raw = np.ascontiguousarray(native).reshape(-1).view(np.uint8)
    strides = row_major_strides(array.shape, array.dtype.itemsize)
    return {ARRAY: StoredTensor(ARRAY, native.dtype.name, array.shape, strides, 0, raw, path)}


FORMAT = Format(".npy", 10, (".npy",), lambda start, size: start.startswith(MAGIC), open_npy)
