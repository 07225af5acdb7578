"""What an audit finds: one sentence each, with the place, the weight, and what it spoils."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

NOTE = "note"
"""Worth knowing; nothing is wrong with the files."""

WARNING = "warning"
"""Something is odd, and the snapshot can still be measured."""

FAULT = "fault"
"""A snapshot is not what its label says, or cannot be measured; what it spoils is quarantined."""

SEVERITIES = (FAULT, WARNING, NOTE)

CHECKPOINT = "checkpoint"
DIFFERENCE = "difference"
GRADIENT = "gradient"


class Spoiled(NamedTuple):
    """What a finding spoils.

    Attributes
    ----------
    what : str
        ``"checkpoint"`` (and with it both differences that touch it), ``"difference"`` or ``"gradient"``.
    step : int
        Its step; of a difference, the later of the two.
    """

    what: str
    step: int


@dataclass(frozen=True)
class Finding:
    """One finding.

    Parameters
    ----------
    kind : str
        What it is in a word or two, ``"identical-files"``.
    severity : str
        ``"note"``, ``"warning"`` or ``"fault"``.
    family, scale : str
        Where.
    steps : tuple of int
        The steps concerned, ascending.
    files : tuple of str
        The files concerned, as seen from the folder or the repository; may be empty.
    sentence : str
        What was found, and what follows from it.
    spoils : tuple of Spoiled
        What must not be measured.
    """

    kind: str
    severity: str
    family: str
    scale: str
    steps: tuple[int, ...]
    files: tuple[str, ...]
    sentence: str
    spoils: tuple[Spoiled, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """The finding as JSON can hold it."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "family": self.family,
            "scale": self.scale,
            "steps": list(self.steps),
            "files": list(self.files),
            "sentence": self.sentence,
            "spoils": [{"what": spoiled.what, "step": spoiled.step} for spoiled in self.spoils],
        }


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Faults first, then by scale and step."""
    return sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), f.scale, f.steps, f.kind, f.sentence))


def spoiled(what: str, steps: Iterable[int]) -> tuple[Spoiled, ...]:
    """The same kind of thing spoiled at several steps."""
    return tuple(Spoiled(what, step) for step in steps)


def listed(items: Sequence[object], most: int = 6) -> str:
    """Items in words: ``1, 2 and 3``; of many, the first few, the last and their number."""
    words = [str(item) for item in items]
    if len(words) > most:
        return f"{', '.join(words[: most - 1])}, ... and {words[-1]} ({len(words)} in all)"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def at_steps(steps: Sequence[int]) -> str:
    """``step 3``, or ``steps 3 and 4``."""
    return f"{'step' if len(steps) == 1 else 'steps'} {listed(steps)}"
