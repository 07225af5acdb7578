"""Which tensors the trainings of one live study have: they must be of the same kinds, in the same order."""

from __future__ import annotations

import json
from pathlib import Path

from gradcascade.errors import InputError
from gradcascade.files import write_whole
from gradcascade.sources.base import Description, SnapshotRef
from gradcascade.sources.contents import Described, Fields, refuse_differing

FILE = "live-tensors.json"


def keep_tensors(study: Path, family: str, scale: str, run: str, description: Description) -> None:
    """Note the tensors of a training; refuse it if another one in the study has other tensors, as files are refused.

    A training that is resumed must have the very ones that it had.
    """
    path = study / FILE
    try:
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        others = {
            (own["family"], own["scale"], own["run"]): tuple((name, tuple(shape)) for name, shape in own["tensors"])
            for own in known
        }
    except (OSError, ValueError, TypeError, KeyError):
        raise InputError(f"{path} is not a list of tensors; remove it, and it is made anew") from None
    key = family, scale, run
    if others.get(key, description.tensors) != description.tensors:
        raise InputError(
            f"{study} holds scale {scale}, run {run} of {family} with other tensors; give this training another "
            "scale or run, or a study of its own"
        )
    others[key] = description.tensors
    try:
        refuse_differing(dict(_described(*own, description) for own in others.items()), parts=False)
    except InputError as error:
        difference = str(error).rpartition("; ")[0]
        raise InputError(
            f"{study}: {difference}; choose the same parts of every model with patterns, or give this "
            "training another family"
        ) from None
    rows = [
        {"family": names[0], "scale": names[1], "run": names[2], "tensors": tensors}
        for names, tensors in others.items()
    ]
    write_whole(path, json.dumps(rows) + "\n")


def _described(
    key: tuple[str, str, str], tensors: tuple[tuple[str, tuple[int, ...]], ...], like: Description
) -> tuple[Fields, Described]:
    family, scale, run = key
    where = f"scale {scale}" if run == "0" else f"scale {scale}, run {run},"
    snapshot = SnapshotRef(family, scale, 0, "gradient", (), where, "", lambda: None)  # pyright: ignore[reportArgumentType]
    return Fields(family, scale, run, "gradient"), Described(snapshot, Description(tensors, (), "", like.order))
