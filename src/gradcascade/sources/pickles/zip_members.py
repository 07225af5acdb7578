"""Finds the members of an uncompressed zip file, so that they can be mapped in place."""

from __future__ import annotations

import errno
import io
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.sources.stored import shown

_LOCAL_HEADER = 30
_LOCAL_MAGIC = b"PK\x03\x04"
_AGAIN = "write or download it again"


@dataclass(frozen=True)
class Member:
    """Where a member's bytes lie in the file."""

    offset: int
    size: int

    def read(self, raw: NDArray[np.uint8]) -> bytes:
        """Its bytes, copied."""
        return raw[self.offset : self.offset + self.size].tobytes()


class _Bytes(io.RawIOBase):
    """Mapped bytes as a file, without copying more than is read."""

    def __init__(self, raw: NDArray[np.uint8]) -> None:
        self._raw, self._at = raw, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._raw.size}[whence]
        if start + offset < 0:
            raise OSError(errno.EINVAL, "negative seek position")  # as a file on disk answers
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        part = self._raw[self._at : self._at + len(buffer)]
        buffer[: part.size] = part.tobytes()
        self._at += part.size
        return part.size


def open_archive(path: Path, raw: NDArray[np.uint8]) -> dict[str, Member]:
    """Members of a zip file by name; compressed, encrypted, doubled or overlapping ones are refused."""
    try:
        with zipfile.ZipFile(_Bytes(raw)) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OverflowError, struct.error):
        raise InputError(f"{path} is a zip file that is cut off or broken; {_AGAIN}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read as a zip file ({error.strerror or error}); {_AGAIN}") from None
    if infos and min(info.header_offset for info in infos) != 0:
        raise InputError(
            f"{path} holds more than one zip, of which only the last would be read; if it is a file of a distributed "
            "checkpoint, name the .metadata beside it, else write it again"
        )
    members: dict[str, Member] = {}
    for info in infos:
        if info.filename in members:
            raise InputError(f"{path} holds the member {shown(info.filename)} twice; {_AGAIN}")
        members[info.filename] = _located(info, path, raw)
    end, before = 0, ""
    for name, member in sorted(members.items(), key=lambda item: (item[1].offset, item[1].size)):
        if member.offset < end:
            raise InputError(f"{path}: the members {shown(before)} and {shown(name)} overlap; {_AGAIN}")
        end, before = member.offset + member.size, name
    return members


def _located(info: zipfile.ZipInfo, path: Path, raw: NDArray[np.uint8]) -> Member:
    where = f"{path}: the member {shown(info.filename)}"
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
        raise InputError(f"{where} is compressed, which torch.save never does; save the tensors again")
    if info.flag_bits & 0x1:
        raise InputError(f"{where} is encrypted; save the tensors again without a password")
    header = (
        raw[info.header_offset : info.header_offset + _LOCAL_HEADER].tobytes() if info.header_offset >= 0 else b""
    )
    if len(header) < _LOCAL_HEADER or header[:4] != _LOCAL_MAGIC:
        raise InputError(f"{where} is not where the zip's table says; {_AGAIN}")
    name_length, extra_length = struct.unpack("<HH", header[26:30])
    offset = info.header_offset + _LOCAL_HEADER + name_length + extra_length
    if offset + info.file_size > raw.size:
        raise InputError(f"{where} reaches beyond the end of the file; {_AGAIN}")
    return Member(offset, info.file_size)
