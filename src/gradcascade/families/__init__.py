"""What is known of the published families, one TOML file each; nothing about a family stands anywhere else."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from gradcascade.errors import InputError
from gradcascade.families.files import families
from gradcascade.families.model import Citation, Family, Fault, Published, ScheduleFacts, Verified

__all__ = [
    "Citation",
    "Family",
    "Fault",
    "Published",
    "ScheduleFacts",
    "Verified",
    "all_faults",
    "chosen_tensors",
    "cited",
    "expected_entries",
    "families",
    "family",
    "family_of",
    "presets",
]


def family(name: str) -> Family:
    """The family of a name, or of one of its presets; an unknown name is refused with the nearest known one."""
    found = family_of(name)
    if found is None:
        known = list(presets())
        near = difflib.get_close_matches(name, known, 1, 0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(families())}"
        raise InputError(f"there is no family {name!r}; {hint}")
    return found


def family_of(name: str, repositories: Mapping[str, str] | Iterable[str] = ()) -> Family | None:
    """The family that a plan's family is: by its repositories where it has some, else by its name or a preset's."""
    places = list(repositories.values() if isinstance(repositories, Mapping) else repositories)
    if not places:
        named = presets().get(name)
        return named[0] if named else None
    owners = [
        known for known in families().values() if all(place.partition("@")[0] in known.places for place in places)
    ]
    # Some families share repositories: the one whose name is used is meant.
    return next((known for known in owners if name in known.presets), owners[0] if owners else None)


def presets() -> dict[str, tuple[Family, tuple[str, ...]]]:
    """Every name under which a family can be measured: the family, and the runs that the name means."""
    first = {name: (known, known.presets[name]) for name, known in families().items()}
    others = {name: (known, runs) for known in families().values() for name, runs in known.presets.items()}
    return first | others


def expected_entries(repository: str) -> int | None:
    """Entries N that a field of a repository, ``owner/name``, must have; None if nothing is known of it."""
    for known in families().values():
        if (entries := known.entries_by_repository.get(repository)) is not None:
            return entries
    return None


def chosen_tensors(repository: str) -> tuple[str, ...]:
    """Patterns of the tensors that a family takes of a repository, ``owner/name``; empty for all parameters."""
    return next((known.tensors for known in families().values() if repository in known.places), ())


def all_faults() -> tuple[Fault, ...]:
    """Every known fault of what is published."""
    return tuple(fault for known in families().values() for fault in known.faults)


def cited(name: str, repositories: Iterable[str] = ()) -> list[Citation]:
    """What to cite of a family that was fetched from repositories, or, without any, lies on disk under a name."""
    places = list(repositories)
    found = {citation.key: citation for known in families().values() for citation in known.cited(name, places)}
    return list(found.values())
