"""The files of a family on the hub, as an audit looks at them: names, sizes and hashes, nothing fetched."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator

from gradcascade.sources.audit.listing import Listing, listing_from_files
from gradcascade.sources.hub.client import RemoteFile
from gradcascade.sources.hub.exchange import MissingError
from gradcascade.sources.hub.source import Found, HubSource, Place


def list_hub(
    source: HubSource, chosen: bool = False, progress: Callable[[int, int, str], None] | None = None
) -> Listing:
    """List what a family has on the hub of what its fields are read from: checkpoints, or recorded gradients.

    Parameters
    ----------
    source : HubSource
        The family.
    chosen : bool
        Whether its steps were chosen, so that their schedule is no one's to question.
    progress : callable, optional
        Called with the number of steps done, their total, and the scale and step.

    Returns
    -------
    Listing

    Raises
    ------
    InputError
        If the hub cannot be reached, or a listing cannot be had.
    """
    total, done = sum(len(found.places) for found in source.found), 0
    files: dict[str, dict[int, list[RemoteFile]]] = {found.scale: {} for found in source.found}
    for found in source.found:
        for step, entries in _of_steps(found):
            files[found.scale][step] = entries
            done += 1
            if progress:
                progress(done, total, f"{found.scale} step {step}")
    names = list(source.repositories.values())
    others = f" and {len(names) - 1} more" if len(names) > 1 else ""
    listing = listing_from_files(source.family, f"{names[0]}{others}", files, source.repositories)
    return dataclasses.replace(listing, asked={found.scale: found.asked for found in source.found}, chosen=chosen)


def _of_steps(found: Found) -> Iterator[tuple[int, list[RemoteFile]]]:
    """Each step with its files, their paths as seen from the step's folder."""
    shared = Counter(place.revision for place in found.places.values())
    for step, place in sorted(found.places.items()):
        start = f"{place.folder}/" if place.folder else ""
        files = [
            dataclasses.replace(file, path=file.path.removeprefix(start))
            for file in _listed(found, place, start, whole=shared[place.revision] > 1)
            if file.path.startswith(start)
        ]
        yield step, [file for file in files if not place.file or file.path == place.file]


def _listed(found: Found, place: Place, start: str, whole: bool) -> list[RemoteFile]:
    """The files around; many steps in one commit take one listing, which was read already to find them."""
    if whole:
        return found.repository.files(place.revision)
    try:
        return found.repository.files(place.revision, (start + place.file).rpartition("/")[0], recursive=False)
    except MissingError:
        return []  # a commit without the folder: its files are missing, which is the audit's to say
