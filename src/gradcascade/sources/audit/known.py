"""Corruption in what is published that others have found and reported; the list is ``known.toml``."""

from __future__ import annotations

import fnmatch
import functools
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Protocol, runtime_checkable

from gradcascade.sources.audit.findings import (
    CHECKPOINT,
    DIFFERENCE,
    FAULT,
    NOTE,
    WARNING,
    Finding,
    Spoiled,
    at_steps,
    spoiled,
)
from gradcascade.sources.audit.listing import Listing


@runtime_checkable
class Published(Protocol):
    """A source whose scales are repositories of a hub."""

    @property
    def repositories(self) -> Mapping[str, str]:
        """The repository of each scale, ``owner/name``."""
        ...


@dataclass(frozen=True)
class Known:
    """One reported corruption.

    Parameters
    ----------
    repositories : tuple of str
        Shell patterns on ``owner/name``.
    steps : tuple of int
        The steps concerned.
    spoils : str
        ``"checkpoint"``, ``"difference"`` (between the steps, the last of which is spoiled first to last) or
        ``"nothing"``.
    sentence : str
        What is wrong.
    url : str
        Where it was reported.
    """

    repositories: tuple[str, ...]
    steps: tuple[int, ...]
    spoils: str
    sentence: str
    url: str

    def concerns(self, repository: str) -> bool:
        """Whether a repository, ``owner/name``, is one of those concerned."""
        return any(fnmatch.fnmatchcase(repository, pattern) for pattern in self.repositories)

    def concerns_name(self, name: str) -> bool:
        """Whether a folder has the name of a repository concerned, whoever owns it."""
        return any(fnmatch.fnmatchcase(name, pattern.partition("/")[2]) for pattern in self.repositories)

    def spoiled(self) -> tuple[Spoiled, ...]:
        """What must not be measured."""
        if self.spoils == CHECKPOINT:
            return spoiled(CHECKPOINT, self.steps)
        return spoiled(DIFFERENCE, self.steps[1:]) if self.spoils == DIFFERENCE else ()

    def reason(self) -> str:
        """The sentence with its source."""
        return f"{self.sentence} ({self.url})"


@functools.cache
def known_corruption() -> tuple[Known, ...]:
    """Everything on the list."""
    text = (files("gradcascade.sources.audit") / "known.toml").read_text(encoding="utf-8")
    return tuple(
        Known(
            tuple(entry["repositories"]),
            tuple(_steps(entry["steps"])),
            entry["spoils"],
            entry["sentence"],
            entry["url"],
        )
        for entry in tomllib.loads(text)["known"]
    )


def check_known(listing: Listing) -> list[Finding]:
    """Name the corruption that is known of the repositories of a listing.

    Of a repository it is a fault and spoils what it spoils. A local run that has the name of such a repository gets
    a note: its files may be a corrected copy, and they are checked themselves.
    """
    found = []
    for scale, repository in listing.repositories.items():
        there = [entry.step for entry in listing.scales.get(scale, ())]
        for known in known_corruption():
            published = known.concerns(repository)
            steps = tuple(step for step in known.steps if step in there)
            if not (published or ("/" not in repository and known.concerns_name(repository))):
                continue
            if not steps and known.spoils != "nothing":
                continue
            if published:
                severity, spoils = (FAULT, known.spoiled()) if known.spoiled() else (WARNING, ())
                spoils = tuple(item for item in spoils if item.step in there)
                name = repository
            else:
                severity, spoils, name = NOTE, (), f"the published {repository}"
            sentence = f"{name}: {known.reason()}"
            found.append(
                Finding("known", severity, listing.family, scale, steps or known.steps, (), sentence, spoils)
            )
    return found


def known_of(repository: str, steps: Iterable[int]) -> list[tuple[Spoiled, str]]:
    """What is spoiled among the steps of a repository, with the reason."""
    there = set(steps)
    return [
        (item, f"{repository}, {at_steps([item.step])}: {known.reason()}")
        for known in known_corruption()
        if known.concerns(repository)
        for item in known.spoiled()
        if item.step in there
    ]


def _steps(parts: Iterable[int | str]) -> Iterable[int]:
    """Steps as numbers, or as text ``"first:last:every"``."""
    for part in parts:
        if isinstance(part, int):
            yield part
        else:
            first, last, every = map(int, part.split(":"))
            yield from range(first, last + 1, every)
