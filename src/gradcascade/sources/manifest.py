"""The manifest of a recorded run: which parameters the model has, and which of them make up its fields."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from gradcascade.errors import InputError

FILE = "manifest.json"
"""Its name in the folder of a run."""

MAX_BYTES = 1 << 24


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Parameter(_Strict):
    """One parameter of a model, as it was when recording began."""

    name: str  # its full name, without wrappers
    shape: tuple[int, ...]
    dtype: str
    trainable: bool
    tied_to: str | None = None  # the parameter it is one and the same with; that one is stored, this one is not
    in_field: bool  # whether it is part of the recorded fields


class Manifest(_Strict):
    """What a recorder says of its files, so that nothing has to be guessed from them."""

    format: Literal[1] = 1
    written_by: str
    patterns: tuple[str, ...] = ()  # those the user gave; none if all trainable parameters were taken
    parameters: tuple[Parameter, ...]  # in the order of the model
    wrappers: tuple[str, ...] = ()  # what was taken off the names
    gathered: Literal["whole"] = "whole"  # ``whole``: one process held every tensor in full

    @property
    def field(self) -> tuple[str, ...]:
        """Names of the tensors of every field of the run, in the order of the model."""
        return tuple(parameter.name for parameter in self.parameters if parameter.in_field)

    def same_tensors(self, other: Manifest) -> bool:
        """Whether two recordings hold the same tensors."""
        return self.parameters == other.parameters

    def text(self) -> str:
        """As it is written."""
        return self.model_dump_json(indent=1) + "\n"


def read_manifest(run: Path) -> Manifest | None:
    """The manifest in the folder of a run; None if there is none, or another program's file of that name."""
    path = run / FILE
    try:
        if not path.is_file():
            return None
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} has {path.stat().st_size} bytes, more than a manifest needs; restore it")
        content = path.read_bytes()
        return Manifest.model_validate_json(content) if _own(content) else None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its permissions") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "its text"
        raise InputError(f"{path} is not a manifest ({where}: {first['msg']}); restore it or record again") from None


def _own(content: bytes) -> bool:
    """Whether it is one of ours, or so broken that it cannot be told."""
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        return True
    return isinstance(said, dict) and str(said.get("written_by", "")).startswith("gradcascade")
