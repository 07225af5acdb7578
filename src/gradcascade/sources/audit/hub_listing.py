"""The files of a family on the hub, as an audit looks at them: names, sizes and hashes, nothing downloaded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from gradcascade.errors import MissingError
from gradcascade.sources.audit.listing import Listing, listing_from_files
from gradcascade.sources.hub_source import HubSource
from gradcascade.sources.trees.base import Part, TreeFile


def list_hub(
    source: HubSource, chosen: bool = False, progress: Callable[[int, int, str], None] | None = None
) -> Listing:
    """List what a family has on the hub of what its fields are read from: checkpoints, or recorded gradients.

    `chosen` says that someone chose the steps, so that their schedule is not questioned.
    """
    total, done = sum(len(found.parts) for found in source.found), 0
    files: dict[str, dict[int, list[TreeFile]]] = {found.scale: {} for found in source.found}
    for found in source.found:
        for step, part in sorted(found.parts.items()):
            files[found.scale][step] = _listed(part)
            done += 1
            if progress:
                progress(done, total, f"{found.scale} step {step}")
    names = list(source.repositories.values())
    others = f" and {len(names) - 1} more" if len(names) > 1 else ""
    asked = {found.scale: found.asked for found in source.found}
    origin = f"{names[0]}{others}"
    return listing_from_files(source.family, origin, files, source.repositories, asked=asked, chosen=chosen)


def _listed(part: Part) -> list[TreeFile]:
    """The files of a step, their paths as seen from its folder; of a gradient its one file."""
    start = f"{part.folder}/" if part.folder else ""
    try:
        files = part.tree.files(part.path.rpartition("/")[0] if part.single else part.folder)
    except MissingError:
        return []  # the commit is gone: its files are missing, which the audit reports
    return [
        dataclasses.replace(file, path=file.path.removeprefix(start))
        for file in files
        if not part.single or file.path == part.path
    ]
