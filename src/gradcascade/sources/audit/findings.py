"""What an audit finds: a code with its evidence, a severity, a place, and what must not be measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, dataclass_transform

from gradcascade.sources.base import GRADIENT, UPDATE, RunName

NOTE = "note"  # worth knowing; nothing is wrong with the files
WARNING = "warning"  # something is odd, and the snapshot can still be measured
FAULT = "fault"  # a snapshot is not what its label says, or cannot be measured; what it spoils is quarantined
SEVERITIES = (FAULT, WARNING, NOTE)

CHECKPOINT, DIFFERENCE = "checkpoint", "difference"

LISTING = "listing"  # what checks read that need names, sizes and hashes only
CONTENTS = "contents"  # what checks read that need the tensors

CHECKS: dict[str, type[Evidence]] = {}
"""Every check by its code, in the order of declaration; filled by ``evidence.py``."""


class Spoiled(NamedTuple):
    """Not to be measured: a ``checkpoint``, a ``difference`` (by its later step), or a ``gradient``."""

    what: str
    step: int


@dataclass_transform(frozen_default=True)
class Evidence:
    """What a check found, as data; a subclass declares the check and is a dataclass, its docstring says the rule.

    `needs` says how many of which things there must be for the check to apply; one that is met suffices.
    """

    code: ClassVar[str]
    reads: ClassVar[str]
    needs: ClassVar[Mapping[str, int]]
    words: ClassVar[str]
    __pydantic_config__: ClassVar[Mapping[str, str]] = {"extra": "forbid"}  # where evidence is read from a file

    def __init_subclass__(cls, code: str = "", reads: str = CONTENTS, needs: Mapping[str, int] | None = None) -> None:
        dataclass(frozen=True)(cls)
        if code:
            cls.code, cls.reads, cls.needs = code, reads, needs or {}
            CHECKS[code] = cls

    def sentence(self, at: Finding) -> str:
        """The finding in words: `words`, filled in."""
        return self.words.format(self=self, at=at)

    def data(self) -> dict[str, Any]:
        """The fields, as JSON and TOML can hold them."""
        return {key: _plain(value) for key, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Finding:
    """One finding; `field` is None where it concerns updates and gradients, or neither."""

    evidence: Evidence
    severity: str
    family: str
    scale: str
    run: str
    steps: tuple[int, ...]
    field: str | None = None
    files: tuple[str, ...] = ()
    spoils: tuple[Spoiled, ...] = ()

    @property
    def code(self) -> str:
        """What was found, in a word or two that stay the same: ``identical-files``."""
        return self.evidence.code

    @property
    def sentence(self) -> str:
        """The finding in words."""
        return self.evidence.sentence(self)

    @property
    def when(self) -> str:
        """Its steps in words: ``step 3``, or ``steps 3 and 4``."""
        return at_steps(self.steps)

    @property
    def span(self) -> str:
        """Its first and last step in words."""
        return f"from step {self.steps[0]} to step {self.steps[-1]}"

    @property
    def named(self) -> str:
        """Its files in words."""
        return listed(self.files)

    @property
    def where(self) -> RunName:
        """The run it concerns."""
        return RunName(self.scale, self.run)

    @property
    def what(self) -> str:
        """``checkpoint`` or ``gradient``."""
        return GRADIENT if self.field == GRADIENT else CHECKPOINT

    def as_dict(self) -> dict[str, Any]:
        """The finding as JSON can hold it, with its sentence."""
        plain = {key: _plain(value) for key, value in vars(self).items() if key not in ("evidence", "spoils")}
        data, spoils = self.evidence.data(), [spoiled._asdict() for spoiled in self.spoils]
        return {"code": self.code, **plain, "data": data, "sentence": self.sentence, "spoils": spoils}


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Faults first, then by scale, run and step."""
    return sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), f.scale, f.run, f.steps, f.code, f.sentence))


def spoiled(what: str, steps: Iterable[int]) -> tuple[Spoiled, ...]:
    """The same kind of thing spoiled at several steps."""
    return tuple(Spoiled(what, step) for step in steps)


def field_of(what: str) -> str:
    """The kind of field that is made from checkpoints, or from gradients."""
    return GRADIENT if what == GRADIENT else UPDATE


def listed(items: Sequence[object], most: int = 6) -> str:
    """Items in words: ``1, 2 and 3``; of many, the first few, the last and their number."""
    words = [str(item) for item in items]
    if len(words) > most:
        return f"{', '.join(words[: most - 1])}, ... and {words[-1]} ({len(words)} in all)"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def at_steps(steps: Sequence[int]) -> str:
    """``step 3``, or ``steps 3 and 4``."""
    return f"{'step' if len(steps) == 1 else 'steps'} {listed(steps)}"
