"""Finds and reads the family files: those of the package, and those of a user's folders."""

from __future__ import annotations

import difflib
import functools
import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gradcascade.errors import InputError
from gradcascade.families.model import Family

VARIABLE = "GRADCASCADE_FAMILIES"
"""Environment variable with further folders of family files, separated as in PATH."""

_NOT_INHERITED = (
    "name",
    "title",
    "order",
    "published",
    "preset_runs",
    "run_preset",
    "runs",
    "variants",
    "faults",
    "verified",
)


def folders() -> tuple[Path, ...]:
    """Where family files lie: the package, then the user's folders."""
    own = os.environ.get(VARIABLE, "")
    return (Path(__file__).parent, *(Path(part) for part in own.split(os.pathsep) if part))


def families() -> dict[str, Family]:
    """Every known family by name, in the order of lists."""
    return _read_all(folders())


@functools.cache
def _read_all(places: tuple[Path, ...]) -> dict[str, Family]:
    data: dict[str, tuple[Path, dict[str, Any]]] = {}
    for folder in places:
        if not folder.is_dir():
            raise InputError(f"{folder}, named in ${VARIABLE}, is not a folder; correct or unset the variable")
        for path in sorted(folder.glob("*.toml")):
            content = _content(path)
            name = str(content.get("name", path.stem))
            if name in data:
                raise InputError(f"{path} describes the family {name!r}, and so does {data[name][0]}; rename one")
            data[name] = path, content
    found = [_family(path, _inherited(path, content, data)) for path, content in data.values()]
    names: dict[str, str] = {}
    for family in found:
        for preset in family.presets:
            if preset in names:
                raise InputError(
                    f"the families {names[preset]!r} and {family.name!r} can both be measured as {preset!r}; "
                    "change run_preset of one"
                )
            names[preset] = family.name
    return {family.name: family for family in sorted(found, key=lambda family: (family.order, family.name))}


def _content(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}; check the file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a TOML file: {error}") from None


def _inherited(path: Path, content: dict[str, Any], data: dict[str, tuple[Path, dict[str, Any]]]) -> dict[str, Any]:
    """A file's content with what it takes over from the family it is ``like``."""
    if "like" not in content:
        return content
    parent = data.get(str(content["like"]))
    if parent is None:
        raise InputError(f"{path} is like {content['like']!r}, but there is no such family; known: {', '.join(data)}")
    if "like" in parent[1]:
        raise InputError(f"{path} is like {content['like']!r}, which is itself like another; name that one instead")
    kept = {key: value for key, value in parent[1].items() if key not in _NOT_INHERITED}
    return kept | {key: value for key, value in content.items() if key != "like"}


def _family(path: Path, content: dict[str, Any]) -> Family:
    try:
        return Family.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {_complaint(error)}") from None


def _complaint(error: ValidationError) -> str:
    first = min(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(first["loc"][-1]), Family.model_fields, 1, 0.6)
        return f"unknown key {where!r}" + (f"; did you mean {near[0]!r}?" if near else "; remove or correct it")
    if first["type"] == "missing":
        return f"the key {where!r} is missing; add it"
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
