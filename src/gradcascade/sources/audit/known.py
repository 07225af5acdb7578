"""Corruption in what is published that others have found and reported; the list is ``known.toml``."""

from __future__ import annotations

import fnmatch
import functools
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Protocol, runtime_checkable

from gradcascade.sources.audit.evidence import Known
from gradcascade.sources.audit.findings import (
    CHECKPOINT,
    DIFFERENCE,
    FAULT,
    NOTE,
    WARNING,
    Finding,
    Spoiled,
    spoiled,
)
from gradcascade.sources.base import RunName


@runtime_checkable
class Published(Protocol):
    """A source whose scales are repositories of a hub."""

    @property
    def repositories(self) -> Mapping[str, str]:
        """The repository of each scale, ``owner/name``."""
        ...

    @property
    def checkpoints(self) -> Mapping[str, Sequence[int]]:
        """The steps of each scale whose checkpoints are subtracted, each from the next; ascending."""
        ...


@dataclass(frozen=True)
class KnownFault:
    """One reported corruption; `repositories` are shell patterns on ``owner/name``.

    `spoils` is ``"checkpoint"``, ``"difference"`` (those between the steps) or ``"nothing"``; `identical` says that
    what is wrong is that the steps hold the same weights, which hashes of their files settle.
    """

    repositories: tuple[str, ...]
    steps: tuple[int, ...]
    spoils: str
    sentence: str
    url: str
    identical: bool = False

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


@functools.cache
def known_corruption() -> tuple[KnownFault, ...]:
    """Everything on the list."""
    text = (files("gradcascade.sources.audit") / "known.toml").read_text(encoding="utf-8")
    return tuple(
        KnownFault(
            tuple(entry["repositories"]),
            tuple(_steps(entry["steps"])),
            entry["spoils"],
            entry["sentence"],
            entry["url"],
            entry.get("identical", False),
        )
        for entry in tomllib.loads(text)["known"]
    )


def check_known(
    family: str,
    repositories: Mapping[RunName, str],
    steps: Mapping[RunName, Iterable[int]],
    hashes: Mapping[RunName, Mapping[int, Mapping[str, str | None]]] | None = None,
) -> list[Finding]:
    """Name the corruption that is known of the repositories of a family.

    `repositories` are ``owner/name``, or the name of a local run; `hashes` by run and step the listed SHA-256 of
    every file of the checkpoint. Of a repository it is a fault and spoils what it spoils. A local run that has the
    name of such a repository gets a note: its files may be a corrected copy, and they are checked themselves.
    """
    found = []
    for run, repository in repositories.items():
        there = set(steps.get(run, ()))
        for known in reports_of(repository):
            concerned = tuple(step for step in known.steps if step in there)
            if known.spoils == "nothing" and any(min(there) <= step <= max(there) for step in known.steps if there):
                concerned = known.steps  # what is reported may be that they are missing
            if not concerned:
                continue
            published = "/" in repository
            if published and known.identical and _differ((hashes or {}).get(run, {}), concerned):
                continue
            spoils = tuple(item for item in known.spoiled() if item.step in there) if published else ()
            severity = (FAULT if spoils else WARNING) if published else NOTE
            evidence = Known(repository, known.sentence, known.url)
            found.append(Finding(evidence, severity, family, *run, concerned, spoils=spoils))
    return found


def reports_of(repository: str) -> list[KnownFault]:
    """What is known of a repository, or of the one that a local run has the name of."""
    published = "/" in repository
    return [f for f in known_corruption() if (f.concerns if published else f.concerns_name)(repository)]


def _differ(hashes: Mapping[int, Mapping[str, str | None]], steps: Sequence[int]) -> bool:
    """Whether a file of the same name has different hashes at two of the steps."""
    listed: dict[str, set[str]] = {}
    for step in steps:
        for name, sha256 in hashes.get(step, {}).items():
            if sha256:
                listed.setdefault(name, set()).add(sha256)
    return any(len(found) > 1 for found in listed.values())


def _steps(parts: Iterable[int | str]) -> Iterable[int]:
    """Steps as numbers, or as text ``"first:last:every"``."""
    for part in parts:
        if isinstance(part, int):
            yield part
        else:
            first, last, every = map(int, part.split(":"))
            yield from range(first, last + 1, every)
