"""Reads ``.safetensors`` files: the header checked in full, the tensors memory-mapped.

The format is that of https://huggingface.co/docs/safetensors: eight bytes with the header's length, a JSON header,
then the tensors without gaps. It is read here because the library needs torch for bfloat16.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from gradcascade.errors import InputError
from gradcascade.sources.formats.base import Format
from gradcascade.sources.stored import (
    CODES,
    MAX_HEADER,
    StoredTensor,
    checked_shape,
    mapped,
    row_major_strides,
    shown,
)

_DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip
_BITS = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "C64": 64}
_AGAIN = "write or download it again"


def looks_like_safetensors(start: bytes, size: int) -> bool:
    """Whether a file of `size` bytes that begins with `start` has the shape of a safetensors file."""
    return len(start) >= 9 and start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= size - 8


def open_safetensors(path: Path) -> dict[str, StoredTensor]:
    """Describe the tensors of a file in the order in which they lie; overlaps, gaps and wrong sizes are refused."""
    raw = mapped(path)
    length = int.from_bytes(raw[:8].tobytes(), "little")
    if raw.size < 8 or length > raw.size - 8:
        raise InputError(f"{path} is cut off or not a safetensors file: its header does not fit; {_AGAIN}")
    if length > MAX_HEADER:
        raise InputError(f"{path} claims a header of {length} bytes, more than any model needs; {_AGAIN}")
    header = _header(raw[8 : 8 + length].tobytes(), path)
    tensors = [
        _described(name, entry, raw, 8 + length, path) for name, entry in header.items() if name != "__metadata__"
    ]
    tensors.sort(key=lambda item: item[1:])
    position = 0
    for tensor, begin, end in tensors:
        if begin != position:
            fault = "overlaps another tensor" if begin < position else "leaves a gap before it"
            raise InputError(f"{path}: tensor {shown(tensor.name)} {fault} at byte {begin}; {_AGAIN}")
        position = end
    if 8 + length + position != raw.size:
        raise InputError(
            f"{path} should have {8 + length + position} bytes by its header and has {raw.size}; {_AGAIN}"
        )
    return {tensor.name: tensor for tensor, _, _ in tensors}


def _header(text: bytes, path: Path) -> dict[str, Any]:
    doubled: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in items:
            if name in found:
                doubled.append(name)
            found[name] = value
        return found

    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        raise InputError(f"{path} has a header that is not JSON; {_AGAIN}") from None
    if doubled:
        raise InputError(f"{path} names {shown(doubled[0])} twice in its header; {_AGAIN}")
    if not isinstance(header, dict):
        raise InputError(f"{path} has a header that is not a table of tensors; {_AGAIN}")
    return header


def _described(name: str, entry: Any, raw: Any, data: int, path: Path) -> tuple[StoredTensor, int, int]:
    where = f"{path}: tensor {shown(name)}"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise InputError(f"{where} is not described by dtype, shape and data_offsets; {_AGAIN}")
    code, offsets = entry["dtype"], entry["data_offsets"]
    if not isinstance(code, str) or (code not in _DTYPES and code not in _BITS and not code.startswith("F8_")):
        raise InputError(f"{where} has the unknown type {shown(code)}; save it as F32")
    shape = checked_shape(entry["shape"], where)
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(type(offset) is int for offset in offsets):
        raise InputError(f"{where} has offsets that are not two integers; {_AGAIN}")
    begin, end = offsets
    if not 0 <= begin <= end <= raw.size - data:
        raise InputError(
            f"{where} has offsets {begin} to {end} outside the file's {raw.size - data} data bytes; {_AGAIN}"
        )
    dtype = _DTYPES.get(code, code)
    bits = 8 * int(CODES[dtype][-1]) if dtype in CODES else _BITS.get(code, 8)
    if math.prod(shape) * bits != 8 * (end - begin):
        raise InputError(
            f"{where} has {end - begin} bytes, which does not fit its shape {shown(shape)} of {code}; {_AGAIN}"
        )
    strides = row_major_strides(shape, bits // 8)
    return StoredTensor(name, dtype, shape, strides, data + begin, raw, path), begin, end


FORMAT = Format("safetensors", 30, (".safetensors",), looks_like_safetensors, open_safetensors)
