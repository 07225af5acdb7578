"""Steps that a snapshot's own files state, wherever a trainer writes one."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradcascade.errors import InputError
from gradcascade.sources.formats.safetensors import looks_like_safetensors
from gradcascade.sources.formats.torch_save import open_values
from gradcascade.sources.stored import MAX_HEADER, mapped
from gradcascade.sources.tensors import open_tensors

_KEYS = ("step", "global_step", "iteration")
_COUNTERS = ("global_step", "global_steps", "iter_num", "step", "iteration")
"""Numbers beside the model: Lightning, DeepSpeed, nanoGPT, common habits."""


@dataclass(frozen=True)
class Statement:
    """A step that something other than the label states."""

    where: str
    step: int


def stated_steps(folder: Path, files: Iterable[Path]) -> list[Statement]:
    """Find the steps that the files of a step's folder state; files that cannot be read state none.

    Known places: ``global_step`` in ``trainer_state.json`` (transformers); the tag ``global_stepN`` in ``latest``
    (DeepSpeed); one of `_KEYS` in the metadata of a safetensors file, or as a tensor of one integer in a file of
    weights; one of `_COUNTERS` at the top of what ``torch.save`` wrote. An optimizer's own counters are left alone:
    they may count something else.
    """
    found = []
    with contextlib.suppress(ValueError, RecursionError):
        state = json.loads(_text(folder / "trainer_state.json") or "null")
        if isinstance(state, dict) and type(state.get("global_step")) is int:
            found.append(Statement("trainer_state.json", state["global_step"]))
    if tag := re.fullmatch(r"global_step(\d{1,15})", _text(folder / "latest").strip()):
        found.append(Statement("latest", int(tag[1])))
    for file in files:
        if file.suffix in (".safetensors", ".bin", ".pt", ".pth", ".ckpt"):
            found += _in_file(file)
        if file.suffix in (".pt", ".pth", ".ckpt") and "optim_states" not in file.name:
            found += _counters(file)
    return found


def _in_file(file: Path) -> list[Statement]:
    try:
        tensors = open_tensors(file)
    except InputError:
        return []
    found = []
    metadata = _metadata(file)
    for key in _KEYS:
        if isinstance(value := metadata.get(key), str) and re.fullmatch(r"\d{1,15}", value):
            found.append(Statement(f"the metadata of {file.name}", int(value)))
        tensor = tensors.get(key)
        if tensor is not None and tensor.size == 1 and tensor.dtype in ("int64", "int32"):
            found.append(Statement(f"the tensor {key!r} in {file.name}", int(tensor.read().reshape(-1)[0])))
    return found


def _counters(file: Path) -> list[Statement]:
    """Whole numbers at the top of a trainer's state; objects in it are looked at and never made."""
    try:
        state = open_values(file, lambda reference: True)
    except InputError:
        return []
    items = state.items() if isinstance(state, dict) else ()
    return [Statement(f"{key} of the file", value) for key, value in items if key in _COUNTERS and type(value) is int]


def _metadata(file: Path) -> dict[str, Any]:
    """Metadata of a safetensors file that was found to be well formed; empty for others."""
    raw = mapped(file)
    if not looks_like_safetensors(raw[:64].tobytes(), raw.size):
        return {}
    length = int.from_bytes(raw[:8].tobytes(), "little")
    found = json.loads(raw[8 : 8 + length].tobytes()).get("__metadata__")
    return found if isinstance(found, dict) else {}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") if path.stat().st_size <= MAX_HEADER else ""
    except (OSError, UnicodeDecodeError):
        return ""
