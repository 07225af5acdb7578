"""Listings for tests of the audit: of a folder, and of files that a hub would list."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from gradcascade.sources.audit.listing import ListedRun, Listing, list_runs, listed_step
from gradcascade.sources.base import RunName
from gradcascade.sources.folder import named_runs
from gradcascade.sources.trees.base import TreeFile


def list_folder(folder: Path) -> Listing:
    family, runs = named_runs(folder)
    return list_runs(family, folder, runs)


def listing_from_files(
    family: str,
    files: Mapping[str, Mapping[int, Iterable[TreeFile]]],
    repositories: Mapping[str, str] | None = None,
) -> Listing:
    """By scale and step."""
    runs = [
        ListedRun(
            RunName(scale),
            tuple(listed_step(step, steps[step]) for step in sorted(steps)),
            (repositories or {}).get(scale, ""),
        )
        for scale, steps in files.items()
    ]
    return Listing(family, "the hub", tuple(runs))
