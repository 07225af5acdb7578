"""The quarantine: a list of snapshots that are not to be measured, and why; read strictly, written stably."""

from __future__ import annotations

import json
import os
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gradcascade.errors import InputError
from gradcascade.sources.audit.findings import CHECKPOINT, FAULT, Finding
from gradcascade.sources.base import GRADIENT, UPDATE

FILE = "quarantine.toml"
"""Its name in the folder of a study."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Conventions(_Strict):
    """Which conventions the steps of a family's entries follow.

    Attributes
    ----------
    name : str
        The family.
    label : str
        Which of its two steps labels an update, ``"later"`` or ``"earlier"``.
    gradients : str
        Which gradients were audited, ``"train"`` or ``"val"``.
    """

    name: str
    label: Literal["later", "earlier"] = "later"
    gradients: Literal["train", "val"] = "train"


class Entry(_Strict):
    """One snapshot that is not to be measured.

    Attributes
    ----------
    family, scale, field, step : str, str, str, int
        Which snapshot; the step of an update is its label.
    reason : str
        Why, in a sentence.
    """

    family: str
    scale: str
    field: Literal["gradient", "update"]
    step: int = Field(ge=0)
    reason: str = Field(min_length=1)


class _File(_Strict):
    format: Literal[1] = 1
    families: tuple[Conventions, ...] = ()
    snapshots: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class Quarantine:
    """Snapshots that are not to be measured.

    Parameters
    ----------
    families : tuple of Conventions
        Every family that was audited.
    entries : tuple of Entry
        The snapshots; each at most once.
    """

    families: tuple[Conventions, ...] = ()
    entries: tuple[Entry, ...] = ()

    def reasons(self) -> dict[tuple[str, str, str, int], str]:
        """The reason by family, scale, field and step."""
        return {(e.family, e.scale, e.field, e.step): e.reason for e in self.entries}

    def merged(self, newer: Quarantine) -> Quarantine:
        """The list with the families of a newer one in place of its own."""
        names = {family.name for family in newer.families}
        return Quarantine(
            tuple(family for family in self.families if family.name not in names) + newer.families,
            tuple(entry for entry in self.entries if entry.family not in names) + newer.entries,
        )

    def check(self, name: str, label: str, gradients: str, scales: Iterable[str], where: str) -> None:
        """Refuse to be applied to a family that the list does not fit.

        Parameters
        ----------
        name, label, gradients : str
            The family as it is to be measured.
        scales : iterable of str
            Its scales.
        where : str
            The file, for messages.

        Raises
        ------
        InputError
            If the list was made under other conventions, or names a scale that the family does not have.
        """
        for family in self.families:
            if family.name != name:
                continue
            for key, asked in (("label", label), ("gradients", gradients)):
                if getattr(family, key) != asked:
                    raise InputError(
                        f"{where} was made with {key} = {getattr(family, key)} for the family {name!r}, which is "
                        f"measured with {key} = {asked}; audit the study's plan.toml instead"
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
    checkpoints: Mapping[str, Sequence[int]],
    gradients: Mapping[str, Sequence[int]],
    label: str = "later",
) -> tuple[Entry, ...]:
    """What the faults among the findings put into quarantine.

    Parameters
    ----------
    findings : sequence of Finding
        Of one family.
    checkpoints, gradients : mapping of str to sequence of int
        For each scale, the steps that have a checkpoint, and those that have a gradient; ascending.
    label : str
        Which of its two steps labels an update.

    Returns
    -------
    tuple of Entry
        By scale, field and step. A spoiled checkpoint takes both updates it is part of with it; the reasons of one
        snapshot are joined.
    """
    reasons: dict[tuple[str, str, str, int], list[str]] = {}
    for finding in findings:
        if finding.severity != FAULT:
            continue
        steps = list(checkpoints.get(finding.scale, ()))
        for what, step in finding.spoils:
            if what == GRADIENT:
                labels, field = [at for at in gradients.get(finding.scale, ()) if at == step], GRADIENT
            else:
                ends = [k for k in range(1, len(steps)) if steps[k] == step]
                if what == CHECKPOINT:
                    ends += [k for k in range(1, len(steps)) if steps[k - 1] == step]
                labels, field = [steps[k if label == "later" else k - 1] for k in ends], UPDATE
            for at in labels:
                told = reasons.setdefault((finding.family, finding.scale, field, at), [])
                if (sentence := _text(finding.sentence)) not in told:
                    told.append(sentence)
    return tuple(
        Entry.model_validate(
            {"family": family, "scale": scale, "field": field, "step": step, "reason": "; ".join(told)}
        )
        for (family, scale, field, step), told in sorted(reasons.items())
    )


def _text(sentence: str) -> str:
    """The sentence without what a path may hold that is no text."""
    return sentence.encode("utf-8", "replace").decode("utf-8")


def read_quarantine(path: Path) -> Quarantine:
    """Read a quarantine from a TOML file.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Raises
    ------
    InputError
        If it is missing, is not TOML, has keys that do not exist, or names a snapshot twice or of a family that it
        does not list.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{path} does not exist; write it with `gradcascade audit SOURCE --out {path.name}`"
        ) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}); check its permissions") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a TOML file ({error}); write it again") from None
    try:
        found = _File.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        said = "is unknown" if first["type"] == "extra_forbidden" else first["msg"][:1].lower() + first["msg"][1:]
        raise InputError(f"{path}: {place} {said}; correct it, or write the file again") from None
    families = [family.name for family in found.families]
    if twice := sorted({name for name in families if families.count(name) > 1}):
        raise InputError(f"{path} lists the family {twice[0]!r} twice; keep one")
    seen = set()
    for entry in found.snapshots:
        name = (entry.family, entry.scale, entry.field, entry.step)
        where = f"{entry.scale}, step {entry.step}, {entry.field}"
        if entry.family not in families:
            raise InputError(
                f"{path}: {where} is of the family {entry.family!r}, which [[families]] lacks; add it there"
            )
        if name in seen:
            raise InputError(f"{path} names {where} twice; join the two reasons")
        seen.add(name)
    return Quarantine(found.families, found.snapshots)


def write_quarantine(quarantine: Quarantine, path: Path) -> None:
    """Write a quarantine, as a whole or not at all; the same list always gives the same bytes.

    Parameters
    ----------
    quarantine : Quarantine
        What to write.
    path : pathlib.Path
        The file; its folder is made.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    lines = ["# Snapshots that `gradcascade measure` leaves out, and why.", "format = 1"]
    for family in sorted(quarantine.families, key=lambda f: f.name):
        lines += ["", "[[families]]", *_assignments(family)]
    for entry in sorted(quarantine.entries, key=lambda e: (e.family, e.scale, e.field, e.step)):
        lines += ["", "[[snapshots]]", *_assignments(entry)]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(prefix=".writing-", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
            Path(scratch).replace(path)
        except BaseException:
            Path(scratch).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror or error}); choose another place") from None


def _assignments(model: BaseModel) -> list[str]:
    return [f"{key} = {_literal(value)}" for key, value in model.model_dump().items()]


def _literal(value: str | int) -> str:
    """A JSON string is a TOML string, but for the one control character that JSON leaves as it is."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
