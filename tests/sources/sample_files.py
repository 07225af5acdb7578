"""Writes files byte by byte, good and hostile, without the libraries that would refuse to."""

import json
import struct
import zipfile
from pathlib import Path
from typing import Any

PICKLE_PROTOCOL = b"\x80\x02"


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def integer(value: int) -> bytes:
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def sizes(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(integer, values)) + b"t"


def reference(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def storage(kind: str = "FloatStorage", key: str = "0", entries: int = 4, module: str = "torch") -> bytes:
    return b"(" + text("storage") + reference(module, kind) + text(key) + text("cpu") + integer(entries) + b"tQ"


def tensor(
    shape: tuple[int, ...] = (4,), strides: tuple[int, ...] = (1,), offset: int = 0, stored: bytes | None = None
) -> bytes:
    arguments = (storage() if stored is None else stored) + integer(offset) + sizes(shape) + sizes(strides)
    empty = reference("collections", "OrderedDict") + b")R"
    return reference("torch._utils", "_rebuild_tensor_v2") + b"(" + arguments + b"\x89" + empty + b"tR"


def dictionary(**values: bytes) -> bytes:
    return PICKLE_PROTOCOL + b"}(" + b"".join(text(key) + value for key, value in values.items()) + b"u."


def write_zip(path: Path, pickle: bytes, members: dict[str, bytes] | None = None, **options: Any) -> None:
    """A torch.save file with the given pickle and one storage of four float32 numbers."""
    stored = {"data.pkl": pickle, "byteorder": b"little", "data/0": struct.pack("<4f", 1, 2, 3, 4), "version": b"3\n"}
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in (stored | (members or {})).items():
            archive.writestr(f"model/{name}", content)


def write_safetensors(path: Path, header: Any, data: bytes = b"\0" * 16, length: int | None = None) -> None:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw) if length is None else length) + raw + data)


def write_npy(path: Path, header: str, data: bytes = b"\0" * 16, version: bytes = b"\1\0") -> None:
    raw = header.encode()
    path.write_bytes(b"\x93NUMPY" + version + struct.pack("<H", len(raw)) + raw + data)
