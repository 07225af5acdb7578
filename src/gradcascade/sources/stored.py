"""Tensors that lie in a file: described when it is opened, read when they are asked for."""

from __future__ import annotations

import math
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError

# NumPy has no bfloat16: it is stored as 16-bit integers and widened when read.
CODES = {
    "float64": "<f8", "float32": "<f4", "float16": "<f2", "bfloat16": "<u2",
    "int64": "<i8", "int32": "<i4", "int16": "<i2", "int8": "|i1",
    "uint64": "<u8", "uint32": "<u4", "uint16": "<u2", "uint8": "|u1", "bool": "|b1",
}  # fmt: skip
FLOATS = ("float64", "float32", "float16", "bfloat16")
MAX_DIMENSIONS = 32
MAX_HEADER = 1 << 24
"""Bytes of a JSON description that are read of one file; real models need some hundred thousand."""


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """One tensor in a memory-mapped file; `strides` and `offset` are in bytes, `path` is for messages.

    A `dtype` that `CODES` does not know cannot be read.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    file: NDArray[np.uint8] = field(repr=False)
    path: Path
    group: str = ""  # the top dictionary of the file that it is in, where the file holds several
    negative: bool = False  # whether the values are minus the stored ones (torch's lazy negation)

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)

    @property
    def stored(self) -> tuple[StoredTensor, ...]:
        """What lies in files of it: itself, or its pieces."""
        return (self,)

    @property
    def place(self) -> tuple:
        """The same for two tensors that are one."""
        parts = ((t.file.ctypes.data + t.offset, t.shape, t.strides) for t in self.stored)
        return (self.path, self.shape, *parts)

    def read(self) -> NDArray:
        """The values in the tensor's own type, read-only and mapped; bfloat16 as a float32 copy, exactly."""
        if self.dtype not in CODES:
            raise InputError(
                f"{self.path}: tensor {shown(self.name)} has type {shown(self.dtype)}, which cannot be read; "
                "save it as float32"
            )
        view = np.ndarray(self.shape, CODES[self.dtype], self.file, self.offset, self.strides)
        values = widened_bfloat16(view) if self.dtype == "bfloat16" else view
        return -values if self.negative else values

    def stretch(self, start: int, count: int) -> StoredTensor:
        """Some entries of a flat tensor, where they lie."""
        return replace(self, shape=(count,), offset=self.offset + start * self.strides[0])

    def read_field(self) -> NDArray[np.floating]:
        """The values as part of a field: float64 for float64 tensors, else float32, widened exactly."""
        if self.dtype not in FLOATS:
            raise InputError(
                f"{self.path}: tensor {shown(self.name)} holds {shown(self.dtype)}, and a field needs "
                "floating-point numbers; leave it out by choosing the tensors to measure"
            )
        values = self.read()
        return values.astype(np.float32) if values.dtype == np.float16 else values


def widened_bfloat16(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """The float32 numbers whose upper halves are the given bits; exact, since bfloat16 is a cut float32."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def row_major_strides(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Strides in bytes of a contiguous array in row-major order."""
    strides = [itemsize] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * max(shape[axis + 1], 1)
    return tuple(strides)


def checked_shape(shape: object, where: str) -> tuple[int, ...]:
    """Sizes as a file states them, refused when they cannot be those of an array; `where` is for messages."""
    if not isinstance(shape, list | tuple) or not all(type(size) is int for size in shape):
        raise InputError(f"{where} has a shape that is not a list of integers; the file is broken, write it again")
    if len(shape) > MAX_DIMENSIONS:
        raise InputError(
            f"{where} has {len(shape)} dimensions, and at most {MAX_DIMENSIONS} make sense; write it again"
        )
    if any(size < 0 for size in shape):
        raise InputError(
            f"{where} has a negative size in its shape {shown(shape)}; the file is broken, write it again"
        )
    if math.prod(max(size, 1) for size in shape) > 1 << 58:
        raise InputError(
            f"{where} claims a shape larger than any file, {shown(shape)}; the file is broken, write it again"
        )
    return tuple(shape)


def mapped(path: Path) -> NDArray[np.uint8]:
    """Map a whole file into memory: its bytes, read-only; what is not a regular file with contents is refused."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"{path} is a folder, not a file; name a file in it")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path} is a pipe or a device, not a file; save the tensors to a file first")
        if status.st_size == 0:
            raise InputError(f"{path} is empty; write or download it again")
        return np.memmap(path, dtype=np.uint8, mode="r")
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; check the name") from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error}); check the name and its permissions"
        ) from None
    except ValueError:  # a name with a null byte, or a file that shrank between the two calls
        raise InputError(f"{shown(str(path))} cannot be opened; check the name") from None


Mark = tuple[str, int, int, int]  # name, inode, size and time of change of a file


def mark_of(file: Path) -> Mark | None:
    """What changes whenever a file is replaced; None for one that cannot be looked at."""
    try:
        status = file.stat()
    except OSError:
        return None  # the reader says what is wrong
    return (file.name, status.st_ino, status.st_size, status.st_mtime_ns)


def shown(value: object) -> str:
    """A value from a file, quoted and cut so that it cannot spoil or flood a message."""
    text = ascii(value)
    return text if len(text) <= 80 else text[:60] + "..." + text[-12:]
