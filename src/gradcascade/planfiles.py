"""Plans as TOML files: read, checked with one sentence on what is wrong, and written out in full."""

from __future__ import annotations

import difflib
import json
import tomllib
import typing
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from gradcascade.errors import InputError

Model = TypeVar("Model", bound=BaseModel)


class Strict(BaseModel):
    """A part of a plan: unknown keys are refused, and it does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The contents of a TOML file; ``what`` names the file that was wanted, for messages."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; give the path of a {what}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}; give the path of a {what}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a TOML file: {error}") from None


def validated(model: type[Model], data: dict[str, Any], where: str, lists: tuple[str, ...] = ()) -> Model:
    """A plan from its data; what is wrong is an :class:`InputError` that begins with ``where``.

    ``lists`` are keys of several parts, in which a complaint about one part as a whole says which it is.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise InputError(f"{where}: {_first_complaint(model, error, lists)}") from None


def literal(value: Any) -> str:
    """A value in TOML."""
    if isinstance(value, str | bool):  # the escapes of JSON are TOML's too, which also wants DEL escaped
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(literal(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{literal(key)} = {literal(item)}' for key, item in value.items())}}}"
    return repr(value)


def _first_complaint(root: type[BaseModel], error: ValidationError, lists: tuple[str, ...]) -> str:
    # A mistyped key is missing under its right name too: the unknown one says more.
    first = min(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        key = str(first["loc"][-1])
        known = list(_model_at(root, first["loc"][:-1]).model_fields)
        near = difflib.get_close_matches(key, known, 1, 0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys here: {', '.join(known)}"
        return f"unknown key {where!r}; {hint}"
    if first["type"] == "missing":
        return f"the key {where!r} is missing; add it"
    message = first["msg"].removeprefix("Value error, ")
    if not where or isinstance(first["input"], dict):
        return f"{where}: {message}" if where.startswith(lists) and where else message
    return f"{where}: {message} (got {first['input']!r})"


def _model_at(model: type[BaseModel], location: tuple[Any, ...]) -> type[BaseModel]:
    for part in location:
        if part in model.model_fields:
            model = next(_models_in(model.model_fields[part].annotation), model)
    return model


def _models_in(annotation: Any) -> typing.Iterator[type[BaseModel]]:
    """The parts that a key's type names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from _models_in(inner)
