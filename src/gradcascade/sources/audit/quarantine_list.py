"""The quarantine: a list of snapshots that are not to be measured, and why; read strictly, written stably."""

from __future__ import annotations

import dataclasses
import json
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gradcascade.errors import InputError
from gradcascade.files import write_whole
from gradcascade.sources.audit.evidence import CHECKS
from gradcascade.sources.audit.findings import CHECKPOINT, FAULT, Evidence, Finding
from gradcascade.sources.base import GRADIENT, UPDATE, RunName

FILE = "quarantine.toml"
"""Its name in the folder of a study."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Conventions(_Strict):
    """How a family was audited: which of its two steps labels an update, and which gradients were looked at."""

    name: str
    label: Literal["later", "earlier"] = "later"
    gradients: Literal["train", "val"] = "train"


@dataclass(frozen=True)
class Entry:
    """One snapshot that is not to be measured, an update under its label; `note` is written by hand."""

    family: str
    scale: str
    run: str
    field: str
    step: int
    findings: tuple[Finding, ...] = ()
    note: str = ""

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of its findings, each once."""
        return tuple(dict.fromkeys(finding.code for finding in self.findings))

    @property
    def reason(self) -> str:
        """Why it is not to be measured, in a sentence."""
        said = [*(finding.sentence for finding in self.findings), self.note]
        return "; ".join(dict.fromkeys(sentence for sentence in said if sentence))

    @property
    def name(self) -> dict[str, Any]:
        """What it is called, by the names of the parts."""
        return {key: value for key, value in vars(self).items() if key not in ("findings", "note")}

    def as_dict(self) -> dict[str, Any]:
        """The entry as JSON can hold it."""
        return {**self.name, "codes": list(self.codes), "reason": self.reason}


@dataclass(frozen=True)
class Quarantine:
    """Snapshots that are not to be measured, each at most once, with every family that was audited."""

    families: tuple[Conventions, ...] = ()
    entries: tuple[Entry, ...] = ()

    def merged(self, newer: Quarantine) -> Quarantine:
        """The list with the families of a newer one in place of its own."""
        names = {family.name for family in newer.families}
        return Quarantine(
            tuple(family for family in self.families if family.name not in names) + newer.families,
            tuple(entry for entry in self.entries if entry.family not in names) + newer.entries,
        )

    def check(self, name: str, label: str, gradients: str, scales: Iterable[str], where: str) -> None:
        """Refuse a family that is measured under other conventions, or lacks a scale; `where` is the file."""
        for family in (family for family in self.families if family.name == name):
            for key, asked in (("label", label), ("gradients", gradients)):
                if (made := getattr(family, key)) != asked:
                    raise InputError(
                        f"{where} was made with {key} = {made} for the family {name!r}, which is measured with "
                        f"{key} = {asked}; audit the study's plan.toml instead"
                    )
        known = list(scales)
        for entry in self.entries:
            if entry.family == name and entry.scale not in known:
                raise InputError(
                    f"{where} names the scale {entry.scale!r}, which the family {name!r} does not have "
                    f"({', '.join(known)}); correct it, or audit the family again"
                )


def entries_of(
    findings: Sequence[Finding],
    checkpoints: Mapping[RunName, Sequence[int]],
    gradients: Mapping[RunName, Sequence[int]],
    label: str = "later",
) -> tuple[Entry, ...]:
    """What the faults put into quarantine, in order; a spoiled checkpoint takes both its updates with it."""
    found: dict[tuple[str, str, str, str, int], dict[Finding, None]] = {}
    for finding in (finding for finding in findings if finding.severity == FAULT):
        pairs = list(pairwise(checkpoints.get(finding.where, ())))
        for what, step in finding.spoils:
            field, labels = GRADIENT, [at for at in gradients.get(finding.where, ()) if at == step]
            if what != GRADIENT:
                spoiled = [pair for pair in pairs if pair[1] == step or (what == CHECKPOINT and pair[0] == step)]
                field, labels = UPDATE, [later if label == "later" else earlier for earlier, later in spoiled]
            for at in labels:
                name = (finding.family, finding.scale, finding.run, field, at)
                found.setdefault(name, {})[dataclasses.replace(finding, spoils=())] = None
    return tuple(Entry(*name, tuple(told)) for name, told in sorted(found.items(), key=lambda item: item[0]))


class _Finding(_Strict):
    id: int
    code: str
    family: str
    scale: str
    run: str = "0"
    steps: tuple[int, ...]
    field: Literal["gradient", "update"] | None = None
    files: tuple[str, ...] = ()
    data: dict[str, Any] = {}


class _Snapshot(_Strict):
    family: str
    scale: str
    run: str = "0"
    field: Literal["gradient", "update", "momentum", "direction", "mean-gradient"]
    step: int = Field(ge=0)
    findings: tuple[int, ...] = ()
    reason: str = Field(default="", min_length=1)


class _File(_Strict):
    format: Literal[1, 2] = 1
    families: tuple[Conventions, ...] = ()
    findings: tuple[_Finding, ...] = ()
    snapshots: tuple[_Snapshot, ...] = ()


def read_quarantine(path: Path) -> Quarantine:
    """Read a quarantine of format 1 or 2; anything that does not fit is refused."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        write = f"gradcascade audit SOURCE --out {path.name}"
        raise InputError(f"{path} does not exist; write it with `{write}`") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}); check its permissions") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a TOML file ({error}); write it again") from None
    try:
        found = _File.model_validate(data)
    except ValidationError as error:
        raise InputError(f"{path}: {_first(error)}; correct it, or write the file again") from None
    families = [family.name for family in found.families]
    if twice := sorted({name for name in families if families.count(name) > 1}):
        raise InputError(f"{path} lists the family {twice[0]!r} twice; keep one")
    findings: dict[int, Finding] = {}
    for told in found.findings:
        if told.id in findings:
            raise InputError(f"{path} has two findings with the id {told.id}; give one of them another")
        findings[told.id] = _finding(told, path)
    entries: dict[tuple[Any, ...], Entry] = {}
    for item in found.snapshots:
        name = (item.family, item.scale, item.run, item.field, item.step)
        where = f"{item.scale}{'' if item.run == '0' else f' run {item.run}'}, step {item.step}, {item.field}"
        lacking = [number for number in item.findings if number not in findings]
        if item.family not in families:
            fault = f"is of the family {item.family!r}, which [[families]] lacks; add it there"
        elif not item.findings and not item.reason:
            fault = "has neither findings nor a reason; add a reason"
        elif lacking:
            fault = f"names the finding {lacking[0]}, which is not in the file; add it"
        elif name in entries:
            fault = "is there twice; keep one of the two"
        else:
            entries[name] = Entry(*name, tuple(findings[number] for number in item.findings), item.reason)
            continue
        raise InputError(f"{path}: {where} {fault}")
    return Quarantine(found.families, tuple(entries.values()))


def _finding(told: _Finding, path: Path) -> Finding:
    if told.code not in CHECKS:
        raise InputError(f"{path}: finding {told.id} has the code {told.code!r}, which no check has; correct it")
    try:
        evidence: Evidence = TypeAdapter(CHECKS[told.code]).validate_python(told.data)
        finding = Finding(evidence, FAULT, told.family, told.scale, told.run, told.steps, told.field, told.files)
        str(finding.sentence)  # fails where steps or files are lacking
    except ValidationError as error:
        raise InputError(f"{path}: finding {told.id}: {_first(error)}; correct it, or write the file again") from None
    except (IndexError, ValueError):
        lacks = f"lacks steps or files, which {told.code} needs"
        raise InputError(f"{path}: finding {told.id} {lacks}; correct it, or write the file again") from None
    return finding


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{place} is unknown"
    return f"{place} {first['msg'][:1].lower() + first['msg'][1:]}"


def write_quarantine(quarantine: Quarantine, path: Path) -> None:
    """Write a quarantine, as a whole or not at all; the same list always gives the same bytes."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, _as_toml(quarantine))
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror or error}); choose another place") from None


def _as_toml(quarantine: Quarantine) -> str:
    """Every finding once, with its sentence above it for people, and the snapshots that name them by number."""
    entries = sorted(quarantine.entries, key=lambda entry: tuple(entry.name.values()))
    numbers: dict[Finding, int] = {}
    for finding in (finding for entry in entries for finding in entry.findings):
        numbers.setdefault(finding, len(numbers) + 1)
    lines = ["# Snapshots that `gradcascade measure` leaves out, and why.", "format = 2"]
    for family in sorted(quarantine.families, key=lambda f: f.name):
        lines += ["", "[[families]]", *_assignments(family.model_dump())]
    for finding, number in numbers.items():
        told = {key: value for key, value in finding.as_dict().items() if key in _Finding.model_fields}
        lines += ["", f"# {_literal(finding.sentence)[1:-1]}", "[[findings]]", *_assignments({"id": number} | told)]
    for entry in entries:
        told = {"findings": [numbers[finding] for finding in entry.findings], "reason": entry.note or None}
        lines += ["", "[[snapshots]]", *_assignments(entry.name | told)]
    return "\n".join(lines) + "\n"


def _assignments(values: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {_literal(value)}" for key, value in values.items() if value not in (None, [], {})]


def _literal(value: Any) -> str:
    """A value as TOML writes it; a JSON string is one of TOML, but for one control character."""
    match value:
        case str():
            text = value.encode("utf-8", "replace").decode("utf-8")
            return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
        case float() if not math.isfinite(value):
            return str(value)
        case list() | tuple():
            return f"[{', '.join(map(_literal, value))}]"
        case dict():
            return f"{{{', '.join(f'{json.dumps(key)} = {_literal(item)}' for key, item in value.items())}}}"
    return json.dumps(value)
